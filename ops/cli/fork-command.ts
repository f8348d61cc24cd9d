import { BundleStore } from '#engine';
import { bundleJob } from '../bundle/bundle-job.ts';
import { withCluster } from './cluster-view.ts';
import { type Command, connectionOf, readArguments } from './command.ts';
import { inspectBundle } from './deploy-command.ts';
import { COMMAND_HELP, COMMAND_OPTIONS, sendCommand } from './send-command.ts';
import { wholeNumber } from './whole-number.ts';

export const forkCommand: Command = {
  summary: 'start a second job from a checkpoint of a running one',
  help: `Usage: millrace fork <job> <name> [--checkpoint <n>] [--bundle <file>] [options]

Starts a job <name> with the state of <job>, which goes on. Sinks of both would write to the same places: give the fork code of its own.

  --checkpoint <n>     the checkpoint or savepoint to begin from; default: a new savepoint
  --bundle <file>      module of the fork; default: the code of <job>
${COMMAND_HELP}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 2, {
      ...COMMAND_OPTIONS,
      checkpoint: { type: 'string' },
      bundle: { type: 'string' },
    });
    const [job = '', name = ''] = positionals;
    const { checkpoint } = values;
    const from = checkpoint && {
      checkpoint: wholeNumber(checkpoint, '--checkpoint', 1, Number.MAX_SAFE_INTEGER),
    };
    const connection = connectionOf(values);
    const bundle = values.bundle === undefined ? null : await bundleJob(values.bundle);
    if (bundle !== null) await inspectBundle(bundle, connection);
    return withCluster(connection, async (view) => {
      if (bundle !== null) await new BundleStore(view.cluster).put(bundle.code);
      return sendCommand(
        view,
        { kind: 'fork', job, name, ...from, ...(bundle && { bundle: bundle.hash }) },
        values,
        ({ state, checkpoint: begun }) =>
          `Job '${name}' is ${String(state)}, from checkpoint ${JSON.stringify(begun)} of '${job}'.`,
      );
    });
  },
};
