import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { planDeploy, rehearseRestore } from '#engine';
import { chosenManifest, graphOf } from './checkpoint-job.ts';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { wholeNumber } from './whole-number.ts';

export const planCommand: Command = {
  summary: 'what a job would find in a checkpoint, before it is deployed',
  help: `Usage: millrace plan <file> [options]

Compares the job of a module with a checkpoint, and has its operators restore some of the state: what is taken over, new, without an
operator or unusable. Nothing is started or stored. Exits with 1 when the job would be refused.

  --from <n>           the checkpoint or savepoint; default: the newest
  --from-job <name>    the job that it is of; default: the module's
  --drop <operator>    state of an operator that the code does not have any more may be dropped; may be repeated
  --renamed <operator> its key fields have only been renamed; may be repeated
  --full               restore all state, not one key group of each operator
  --json               as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...CONNECTION_OPTIONS,
      from: { type: 'string' },
      'from-job': { type: 'string' },
      drop: { type: 'string', multiple: true, default: [] },
      renamed: { type: 'string', multiple: true, default: [] },
      full: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    const { from, drop, renamed, full, json } = values;
    const connection = connectionOf(values);
    const id = from === undefined ? null : wholeNumber(from, '--from', 1, Number.MAX_SAFE_INTEGER);
    const graph = await graphOf(pathToFileURL(resolve(positionals[0] as string)).href, connection);
    return withCluster(connection, async ({ store: openStore }) => {
      const store = await openStore();
      const manifest = await chosenManifest(store, values['from-job'] ?? graph.name, id);
      const refusals = await rehearseRestore(store, graph, manifest, { full });
      const plan = planDeploy(graph, manifest, { allowNonRestored: drop, renamedKeys: renamed, refusals });
      process.stdout.write(json ? `${JSON.stringify(plan)}\n` : plan.text);
      return plan.verdict === 'ok' ? 0 : 1;
    });
  },
};
