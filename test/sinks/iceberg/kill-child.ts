/**
 * A job in small, to be killed: reads numbers from an offset, stages them at each checkpoint, publishes the checkpoint by
 * renaming one file, commits, and goes on. Arguments: folder, offset to stop at, kill point ('' = none) and how often it is passed.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { decode, encode } from 'msgpackr';
import { iceberg, identity } from '#sinks';
import { checkpointId } from '#engine';
import { eventTime, i32, schema, string } from '#wire';
import { commitRequest, openCommitter, rowsInput, sinkContext } from './sink-harness.ts';

interface Checkpoint {
  readonly seq: number;
  readonly offset: number;
  readonly pending: readonly { readonly seq: number; readonly committables: readonly unknown[] }[];
}

const [folder = '', stopAt = '0', killPoint = '', passes = '0'] = process.argv.slice(2);
const file = `${folder}/checkpoint`;
const ROWS_PER_CHECKPOINT = 40;
let passed = 0;
const context = sinkContext({
  killPoint: (name) => {
    if (name === killPoint && ++passed > Number(passes)) process.kill(process.pid, 'SIGKILL');
  },
});
const Numbers = schema('numbers', { ts: eventTime(1), n: i32(2), part: string(3) });
const sink = iceberg('numbers', Numbers, {
  warehouse: `${folder}/warehouse`,
  partitionBy: [identity('part')],
  manifests: { mergeCount: 4 },
});

let state: Checkpoint = existsSync(file)
  ? (decode(readFileSync(file)) as Checkpoint)
  : { seq: 0, offset: 0, pending: [] };
const committer = await openCommitter(sink, context);
await committer.recover(
  state.pending.map(({ seq, committables }) => commitRequest(seq, committables)),
  state.seq,
);
const writer = await sink.openWriter(context);
while (state.offset < Number(stopAt)) {
  const rows = Array.from({ length: ROWS_PER_CHECKPOINT }, (_, i) => {
    const n = state.offset + i;
    return { ts: 1_700_000_000_000 + n, n, part: `p${n % 2}` };
  });
  await writer.write(rowsInput(rows));
  const seq = state.seq + 1;
  const committables = [await writer.prepareCommit(checkpointId(seq))];
  const isLate = seq % 3 === 0; // its commit comes with the next checkpoint's, or with recovery
  state = { seq, offset: state.offset + rows.length, pending: [...state.pending, { seq, committables }] };
  publish(state);
  if (isLate) continue;
  for (const pending of state.pending)
    await committer.commit(commitRequest(pending.seq, pending.committables));
  state = { ...state, pending: [] };
}
for (const pending of state.pending) await committer.commit(commitRequest(pending.seq, pending.committables));
await writer.close();

function publish(checkpoint: Checkpoint): void {
  writeFileSync(`${file}.tmp`, encode(checkpoint));
  renameSync(`${file}.tmp`, file);
  process.send?.(checkpoint.seq);
}
