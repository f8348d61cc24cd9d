import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BundleStore } from '#engine';
import { BundleFiles } from '../bundle/bundle-files.ts';
import { bundleJob, type JobBundle } from '../bundle/bundle-job.ts';
import { type InspectedJob, inspectModule } from '../bundle/inspect-module.ts';
import { withCluster } from './cluster-view.ts';
import { type Command, type Connection, connectionOf, readArguments } from './command.ts';
import { COMMAND_HELP, COMMAND_OPTIONS, sendCommand } from './send-command.ts';
import { wholeNumber } from './whole-number.ts';

export const deployCommand: Command = {
  summary: "bundle a job's module and run it on the workers",
  help: `Usage: millrace deploy <file> [options]

Bundles the module with all that it imports, checks the job, stores the bundle by its hash, and has the job run with it: a new job from
nothing, a known one from its newest checkpoint.

  --parallelism <n>    subtasks per operator; default: as it was, or as the job declares it
  --from <n>           begin from this checkpoint or savepoint instead; the job must be stopped
  --drop <operator>    state of an operator that the code does not have any more is dropped; may be repeated
  --from-job <name>    the job that --from is of; default: the same
${COMMAND_HELP}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...COMMAND_OPTIONS,
      parallelism: { type: 'string' },
      from: { type: 'string' },
      'from-job': { type: 'string' },
      drop: { type: 'string', multiple: true, default: [] },
    });
    const { parallelism, from } = values;
    const connection = connectionOf(values);
    const wanted = {
      ...(parallelism && { parallelism: wholeNumber(parallelism, '--parallelism', 1, 32_768) }),
      ...(values.drop.length > 0 && { allowNonRestored: values.drop }),
    };
    const checkpoint = from === undefined ? null : wholeNumber(from, '--from', 1, Number.MAX_SAFE_INTEGER);
    const bundle = await bundleJob(positionals[0] as string);
    const { name } = await inspectBundle(bundle, connection);
    if (!values.json)
      process.stderr.write(`Bundled job '${name}' as ${bundle.hash} (${bundle.code.length} bytes).\n`);
    const restoreFrom =
      checkpoint === null ? {} : { restoreFrom: { job: values['from-job'] ?? name, checkpoint } };
    return withCluster(connection, async (view) => {
      await new BundleStore(view.cluster).put(bundle.code);
      return sendCommand(
        view,
        { kind: 'deploy', job: name, bundle: bundle.hash, ...wanted, ...restoreFrom },
        values,
        ({ state }) => `Job '${name}' is ${String(state)}.`,
      );
    });
  },
};

/** Loads the bundle as workers will, and checks its job. @throws MR_CONFIG_INVALID, MR_GRAPH_INVALID */
export async function inspectBundle(
  { code, hash }: JobBundle,
  connection: Connection,
): Promise<InspectedJob> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  try {
    return await inspectModule(await new BundleFiles(folder).keep(hash, code), connection);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
