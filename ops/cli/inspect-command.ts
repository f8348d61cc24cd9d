import type { InspectedCheckpoint } from '#engine';
import { chosenManifest, MODULE_HELP, openWithCode } from './checkpoint-job.ts';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { keyFromText, stateJson, stateText } from './state-text.ts';
import { bytesOf, table } from './table.ts';
import { wholeNumber } from './whole-number.ts';

export const inspectCommand: Command = {
  summary: "look into a checkpoint: operators, keys, one key's state",
  help: `Usage: millrace inspect <job> [options]

Shows the operators of the newest checkpoint; with --operator its keys; with --key as well what is kept of that key. Runs no job.

  --checkpoint <n>     another checkpoint or savepoint
  --operator <id>      list its keys
  --key <key>          a word, or JSON: '{"site":"a","line":3}', '["a",3]', 42
  --prefix <text>      only keys whose first part begins so
  --limit <n>          keys at most; default 20
  --after <cursor>     go on behind this key of a list
  --count              count the keys of all operators: reads all state
${MODULE_HELP}
  --json               as JSON; keys one per line
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...CONNECTION_OPTIONS,
      checkpoint: { type: 'string' },
      operator: { type: 'string' },
      key: { type: 'string' },
      prefix: { type: 'string' },
      limit: { type: 'string', default: '20' },
      after: { type: 'string' },
      count: { type: 'boolean', default: false },
      module: { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    const { checkpoint, operator, key, module, json, prefix, after } = values;
    const id =
      checkpoint === undefined ? null : wholeNumber(checkpoint, '--checkpoint', 1, Number.MAX_SAFE_INTEGER);
    const limit = wholeNumber(values.limit, '--limit', 1, 1_000_000);
    const connection = connectionOf(values);
    return withCluster(connection, async (view) => {
      const store = await view.store();
      const manifest = await chosenManifest(store, positionals[0] as string, id);
      const opened = await openWithCode(view, store, manifest, { connection, module });
      if (operator === undefined) return showOperators(opened, values);
      if (key !== undefined) return showKey(opened, operator, keyFromText(key), json);
      return showKeys(opened, operator, json, {
        limit,
        ...(prefix === undefined ? {} : { prefix }),
        ...(after === undefined ? {} : { after }),
      });
    });
  },
};

async function showOperators(
  checkpoint: InspectedCheckpoint,
  { count, json }: { readonly count: boolean; readonly json: boolean },
): Promise<number> {
  const operators = await checkpoint.listOperators({ countKeys: count });
  const { kind, id, job } = checkpoint.manifest;
  const rows = operators.map((it) => [
    it.id,
    it.kind,
    bytesOf(it.bytes),
    it.keys,
    it.keyGroups,
    it.items,
    it.subtasks,
    it.watermark === null ? null : new Date(it.watermark).toISOString(),
  ]);
  const text = table(
    ['OPERATOR', 'KIND', 'BYTES', 'KEYS', 'KEY GROUPS', 'ITEMS', 'SUBTASKS', 'WATERMARK'],
    rows,
  );
  const head = `${kind} ${id} of '${job}'\n`;
  process.stdout.write(json ? `${stateJson(operators)}\n` : `${head}${text}`);
  return 0;
}

async function showKeys(
  checkpoint: InspectedCheckpoint,
  operator: string,
  json: boolean,
  options: { readonly limit: number; readonly prefix?: string; readonly after?: string },
): Promise<number> {
  for await (const { key, group, cursor } of checkpoint.keys(operator, options))
    process.stdout.write(
      json ? `${stateJson({ key, group, cursor })}\n` : `${cursor.padEnd(12)} ${stateJson(key)}\n`,
    );
  return 0;
}

/** 1 when there is no such key. */
async function showKey(
  checkpoint: InspectedCheckpoint,
  operator: string,
  key: unknown,
  json: boolean,
): Promise<number> {
  const found = await checkpoint.get(operator, key);
  if (found === null) process.stderr.write(`Nothing is kept of key ${stateJson(key)}.\n`);
  else process.stdout.write(`${json ? stateJson(found) : stateText(found)}\n`);
  return found === null ? 1 : 0;
}
