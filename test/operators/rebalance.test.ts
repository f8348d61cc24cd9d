import t from 'tap';
import { partitionLog, recordCount, type Sink } from '#engine';
import { defineJob } from '#operators';
import { eventTime, f64, type Infer, schema } from '#wire';
import { createJobBench, until } from '../support/job-bench.ts';

const Row = schema('row', { at: eventTime(1), n: f64(2) });
type Row = Infer<typeof Row>;
const BATCHES = 12;

/** Counts the records that each subtask writes. */
const counting = (counts: Map<number, number>): Sink<Row, 'idempotent'> => ({
  kind: 'counting',
  target: 'counts',
  guarantee: 'idempotent',
  openWriter: async ({ subtask }) => ({
    write: (input) => void counts.set(subtask, (counts.get(subtask) ?? 0) + recordCount(input)),
    prepareCommit: async () => null,
    close: async () => {},
  }),
});

async function countsAt(parallelism: number, isRebalanced: boolean) {
  const bench = createJobBench();
  for (let batch = 0; batch < BATCHES; batch++)
    await bench.feed(
      'rows',
      Row,
      [1, 2, 3].map((n) => ({ at: batch * 10, n })),
      { partitions: 1 },
    );
  const counts = new Map<number, number>();
  const job = defineJob('job', { guarantee: 'idempotent' }, (build) => {
    const rows = build.source('rows', partitionLog('rows', Row, { partitions: 1 })).filter(({ n }) => n > 1);
    (isRebalanced ? rows.rebalance() : rows).to('counts', counting(counts));
  });
  const handle = bench.run(job.graph({ parallelism }));
  const read = () => handle.status().sources.reduce((sum, { offset }) => sum + offset, 0);
  await until(() => read() === BATCHES * 3, 'all read');
  await handle.stop({ drain: true });
  return { counts: [...counts].sort(([a], [b]) => a - b), edges: handle.status().edges };
}

await t.test('a source with one partition keeps all subtasks busy once it is rebalanced', async (t) => {
  const { counts, edges } = await countsAt(3, true);
  t.same(
    counts,
    [0, 1, 2].map((subtask) => [subtask, (BATCHES * 2) / 3]),
  );
  t.match(edges, [
    { from: 'rows', kind: 'rebalance' },
    { to: 'counts', kind: 'forward' },
  ]);
  t.same((await countsAt(3, false)).counts, [[0, BATCHES * 2]], 'without it one subtask has it all');
});

await t.test('at parallelism 1 rebalancing changes nothing', async (t) => {
  t.same((await countsAt(1, true)).counts, [[0, BATCHES * 2]]);
});
