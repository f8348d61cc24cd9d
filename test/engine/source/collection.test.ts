import fc from 'fast-check';
import t from 'tap';
import { collection, MAX_WATERMARK, recordCount, rowAt, type SourceContext, timeAt } from '#engine';
import { count, defineJob, partitionLog, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema } from '#wire';
import { createJobBench } from '../../support/job-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { openSource } from './source-bench.ts';

const Row = schema('row', { ts: eventTime(1), n: f64(2) });
type Row = Infer<typeof Row>;
const rows = (total: number): Row[] => Array.from({ length: total }, (_, n) => ({ ts: n, n }));

void t.test(
  'E1: batches of 1,000, a watermark after each, at the end of input the end of time, then the end (CN3)',
  async (test) => {
    const bench = await openSource(collection(rows(2_500), Row), { options: { outOfOrdernessMs: 10 } });
    bench.drain();
    test.same(bench.rows, rows(2_500));
    test.same(bench.elements, [
      'records',
      'watermark',
      'records',
      'watermark',
      'records',
      'watermark',
      'watermark',
      'end',
    ]);
    test.same(bench.watermarks, [988, 1_988, 2_488, MAX_WATERMARK]);
    test.equal(bench.reader.poll(), null);
    test.match(bench.reader.status(), [{ recordsRead: 2_500, idle: true, watermark: MAX_WATERMARK }]);
  },
);

void t.test('rows without a schema travel as they are, with the time that is asked for', async (test) => {
  const values = ['5', '3'];
  const bench = await openSource(collection(values, { time: Number }));
  const element = bench.reader.poll();
  if (element?.kind !== 'records') throw new Error('records come first');
  test.same(
    [rowAt(element.records, 0), timeAt(element.records, 0), rowAt(element.records, 1)],
    ['5', 5, '3'],
  );
  test.equal(recordCount(element.records), 2);
});

void t.test('rows that do not fit are handed over as unreadable, the rest goes on', async (test) => {
  const bad = { ts: 1, n: 'x' } as unknown as Row;
  const columns = await openSource(collection([{ ts: 1, n: 1 }, bad, { ts: 2, n: 2 }], Row));
  columns.drain();
  test.same(
    columns.rows.map((row) => row.n),
    [1, 2],
  );
  test.match(columns.unreadable, [{ error: { code: 'MR_RECORD_INVALID' }, input: bad }]);
  const plain = await openSource(collection([1, Number.NaN, 2], { time: (n) => n }));
  plain.drain();
  test.same(plain.rows, [1, 2]);
  test.match(plain.unreadable, [{ error: { code: 'MR_RECORD_INVALID' } }]);
});

void t.test('an empty share ends at once', async (test) => {
  const bench = await openSource(collection([{ ts: 1, n: 1 }], Row), { subtask: 1, parallelism: 2 });
  bench.drain();
  test.same(bench.elements, ['watermark', 'end']);
});

void t.test(
  'CN1 CN2: every row once over snapshots at any step and changes of parallelism; none is late that was not',
  async (test) => {
    const life = fc.record({
      parallelism: fc.integer({ min: 1, max: 5 }),
      polls: fc.array(fc.nat(12), { minLength: 5, maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(9_000), fc.array(life, { maxLength: 3 }), async (total, lives) => {
        const source = collection(rows(total), Row);
        let restored: SourceContext['restored'] = [];
        const seen: number[] = [];
        for (const { parallelism, polls } of [...lives, { parallelism: 2, polls: [1e9, 1e9] }]) {
          const items: unknown[] = [];
          for (let subtask = 0; subtask < parallelism; subtask++) {
            const { reader } = await openSource(source, { subtask, parallelism, restored });
            let watermark = Number.NEGATIVE_INFINITY;
            for (let left = polls[subtask] as number; left > 0; left--) {
              const element = reader.poll();
              if (element === null) break;
              if (element.kind === 'watermark') {
                if (element.time < watermark) return false;
                watermark = element.time;
              }
              if (element.kind !== 'records') continue;
              for (let k = 0; k < recordCount(element.records); k++) {
                if (timeAt(element.records, k) <= watermark) return false;
                seen.push((rowAt(element.records, k) as Row).n);
              }
            }
            items.push(...reader.snapshot().items);
          }
          restored = structuredClone(items);
        }
        seen.sort((a, b) => a - b);
        return seen.length === total && seen.every((n, i) => n === i);
      }),
      { numRuns: propertyRuns(60) },
    );
    test.pass();
  },
);

void t.test('a job over a collection fires every window and finishes', async (test) => {
  const bench = createJobBench();
  const handle = bench.run(
    defineJob('bounded', { guarantee: 'exactly-once', parallelism: 2 }, (job) =>
      job
        .source('rows', collection(rows(3_000), Row))
        .keyBy((row) => row.n % 3)
        .window(tumbling('1s'))
        .aggregate('counts', { n: count() })
        .map(({ window, value }): Row => ({ ts: window.start, n: value.n }))
        .to('out', partitionLog('out', Row, { partitions: 1 })),
    ).graph(),
  );
  test.equal(await handle.done, 'finished');
  const out = await bench.read('out', Row);
  test.equal(out.length, 9);
  test.equal(
    out.reduce((sum, row) => sum + row.n, 0),
    3_000,
  );
});
