import { diffCheckpoints, type OperatorDiff } from '#engine';
import { chosenManifest, MODULE_HELP, openWithCode } from './checkpoint-job.ts';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { stateJson, stateText } from './state-text.ts';
import { table } from './table.ts';
import { wholeNumber } from './whole-number.ts';

export const diffCommand: Command = {
  summary: 'what has changed between two checkpoints',
  help: `Usage: millrace diff <job> <a> <b> [options]

Counts the keys that were added, removed and changed from checkpoint <a> to <b>, and shows the first of them. What lies at the same
place in both is not read.

  --to-job <name>      the job that <b> is of; default: the same
  --operator <id>      only this one; may be repeated
  --examples <n>       keys of each operator that are shown; default 3
${MODULE_HELP}
  --json               as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 3, {
      ...CONNECTION_OPTIONS,
      'to-job': { type: 'string' },
      operator: { type: 'string', multiple: true, default: [] },
      examples: { type: 'string', default: '3' },
      module: { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    const [job = '', a = '', b = ''] = positionals;
    const connection = connectionOf(values);
    const examples = wholeNumber(values.examples, '--examples', 0, 10_000);
    const idOf = (text: string) => wholeNumber(text, 'a checkpoint', 1, Number.MAX_SAFE_INTEGER);
    return withCluster(connection, async (view) => {
      const store = await view.store();
      const open = async (of: string, id: string) =>
        openWithCode(view, store, await chosenManifest(store, of, idOf(id)), {
          connection,
          module: values.module,
        });
      const diffs = await diffCheckpoints(await open(job, a), await open(values['to-job'] ?? job, b), {
        examples,
        ...(values.operator.length === 0 ? {} : { operators: values.operator }),
      });
      process.stdout.write(values.json ? `${stateJson(diffs)}\n` : diffText(diffs));
      return 0;
    });
  },
};

function diffText(diffs: readonly OperatorDiff[]): string {
  const head = ['OPERATOR', 'ADDED', 'REMOVED', 'CHANGED', 'GROUPS READ', 'GROUPS SAME', 'OTHER STATE'];
  const rows = diffs.map((diff) => [
    diff.operator,
    diff.added,
    diff.removed,
    diff.changed,
    diff.groupsRead,
    diff.groupsSame,
    diff.othersChanged ? 'changed' : 'same',
  ]);
  const examples = diffs.flatMap(({ operator, examples: changes }) =>
    changes.map(
      ({ key, before, after }) =>
        `\n${operator} ${stateJson(key)}\n  before ${before === null ? '–' : stateText(before)}\n  after  ${after === null ? '–' : stateText(after)}\n`,
    ),
  );
  return `${table(head, rows)}${examples.join('')}`;
}
