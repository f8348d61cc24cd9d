import fc from 'fast-check';
import t from 'tap';
import { checkpointId, compareTopics, diffCheckpoints, openCheckpoint } from '#engine';
import { count, defineJob, max, partitionLog, sum, tumbling } from '#operators';
import { eventTime, f64, i64, type Infer, obj, schema, string } from '#wire';
import { createJobBench, until } from '../../support/job-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const Row = schema('row', { at: eventTime(1), id: string(2), n: f64(3) });
type Row = Infer<typeof Row>;

const row: fc.Arbitrary<Row> = fc.record({
  at: fc.constantFrom(1, 2),
  id: fc.constantFrom('a', 'b'),
  n: fc.constantFrom(0, -0, Number.NaN, 1),
});

void t.test('topics are compared as multisets of rows, however they are spread', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1 }),
      fc.array(row, { minLength: 1 }),
      async (left, right) => {
        const bench = createJobBench();
        await bench.feed('a', Row, left, { partitions: 3 });
        await bench.feed('b', Row, right, { partitions: 1 });
        const compared = await compareTopics(bench.log, 'a', 'b', { examples: 1_000 });
        const without = (rows: readonly Row[], others: readonly Row[]) => {
          const rest = [...others];
          const is = (x: Row) => (y: Row) => x.at === y.at && x.id === y.id && Object.is(x.n, y.n);
          return rows.filter((it) => {
            const at = rest.findIndex(is(it));
            if (at >= 0) rest.splice(at, 1);
            return at < 0;
          }).length;
        };
        const [onlyA, onlyB] = [without(left, right), without(right, left)];
        const expected = { rowsA: left.length, rowsB: right.length, onlyA, onlyB, isComplete: true };
        const shown = compared.examples.flatMap(({ a, b }) => [...a, ...b]);
        if (JSON.stringify({ ...compared, ...expected }) !== JSON.stringify(compared))
          throw new Error(JSON.stringify(compared));
        if (compared.equal !== (onlyA + onlyB === 0) || shown.length !== onlyA + onlyB)
          throw new Error('examples');
      },
    ),
    { numRuns: propertyRuns(60) },
  );
});

void t.test('differences are shown by key; fields may be ignored and rows left out', async (t) => {
  const bench = createJobBench();
  const rows = Array.from({ length: 30 }, (_, i) => ({ at: i, id: `k${i}`, n: i }));
  await bench.feed('a', Row, rows);
  await bench.feed(
    'b',
    Row,
    rows
      .slice(0, 29)
      .map((it) => (it.id === 'k7' ? { ...it, n: 70 } : it))
      .reverse(),
  );
  const compared = await compareTopics(bench.log, 'a', 'b', { key: ['id'] });
  t.match(compared, { equal: false, rowsA: 30, rowsB: 29, onlyA: 2, onlyB: 1, keysDiffering: 2 });
  t.same(
    compared.examples.toSorted((x, y) => y.b.length - x.b.length),
    [
      { key: { id: 'k7' }, a: [{ at: 7, id: 'k7', n: 7 }], b: [{ at: 7, id: 'k7', n: 70 }] },
      { key: { id: 'k29' }, a: [{ at: 29, id: 'k29', n: 29 }], b: [] },
    ],
  );
  const options = { ignore: ['n'], where: ({ at }: { readonly at?: unknown }) => (at as number) < 29 };
  t.match(await compareTopics(bench.log, 'a', 'b', options), {
    equal: true,
    rowsA: 29,
    rowsB: 29,
    examples: [],
  });
  await t.rejects(compareTopics(bench.log, 'a', 'none'), { code: 'MR_LOG_NO_TOPIC' });
});

void t.test('big integers and nested values are compared by what they hold', async (t) => {
  const Deep = schema('deep', { at: eventTime(1), big: i64(2), value: obj(3) });
  const bench = createJobBench();
  await bench.feed('a', Deep, [{ at: 1, big: 2n ** 60n, value: { x: [1, { y: 2 }], z: null } }]);
  await bench.feed('b', Deep, [{ at: 1, big: 2n ** 60n, value: { z: null, x: [1, { y: 2 }] } }]);
  await bench.feed('c', Deep, [{ at: 1, big: 2n ** 60n + 1n, value: { x: [1, { y: 2 }], z: null } }]);
  t.equal((await compareTopics(bench.log, 'a', 'b')).equal, true);
  t.equal((await compareTopics(bench.log, 'a', 'c')).equal, false);
});

const Reading = schema('reading', { at: eventTime(1), device: string(2), value: f64(3) });
const Result = schema('result', { end: eventTime(1), device: string(2), n: f64(3), worth: f64(4) });

const windows = (name: string, version: 'first' | 'changed', parallelism: number) =>
  defineJob(name, { guarantee: 'exactly-once', checkpointInterval: '1h', parallelism }, (builder) => {
    const keyed = builder
      .source('readings', partitionLog('in', Reading), { outOfOrderness: '1s' })
      .keyBy('device');
    const sink = (topic: string) => partitionLog(`${name}.${topic}`, Result);
    keyed
      .window(tumbling('10s'))
      .aggregate('same', { n: count(), worth: sum('value') })
      .map(({ key, window, value }) => ({
        end: window.end,
        device: key.device,
        n: value.n,
        worth: value.worth ?? 0,
      }))
      .to('same-out', sink('same'));
    keyed
      .window(tumbling('20s'))
      .aggregate('changed', { n: count(), worth: version === 'first' ? sum('value') : max('value') })
      .map(({ key, window, value }) => ({
        end: window.end,
        device: key.device,
        n: value.n,
        worth: value.worth ?? 0,
      }))
      .to('changed-out', sink('changed'));
  }).graph();

void t.test('a fork with changed code shows what the change does, and only that (E8)', async (t) => {
  const bench = createJobBench();
  const { store, log } = bench.environment;
  const readings = (from: number) =>
    Array.from({ length: 300 }, (_, i) => ({
      at: (from + i) * 100,
      device: `d${i % 5}`,
      value: (i * 7) % 11,
    }));
  const read = (handle: ReturnType<typeof bench.run>) =>
    handle.status().sources.reduce((n, s) => n + s.recordsRead, 0);
  await bench.feed('in', Reading, readings(0));
  const a = bench.run(windows('a', 'first', 1));
  await until(() => read(a) === 300, 'all read');
  const checkpoint = checkpointId(await a.savepoint());
  const before = await bench.read('a.same', Result);
  const b = bench.run(windows('b', 'changed', 2), { restoreFrom: { job: 'a', checkpoint, asOf: 0 } });
  await bench.feed('in', Reading, readings(300), { producer: 'later' });
  await until(() => read(a) === 600 && read(b) === 300, 'both have read on');
  await Promise.all([a.stop({ drain: true }), b.stop({ drain: true })]);

  const later = Math.max(0, ...before.map(({ end }) => end));
  const where = ({ end }: { readonly end?: unknown }) => (end as number) > later;
  const key = ['device', 'end'];
  const same = await compareTopics(log, 'a.same', 'b.same', { key, where });
  t.match(same, { equal: true, isComplete: true });
  t.ok(
    same.rowsA > 10 && same.rowsA === same.rowsB,
    'windows that were open at the savepoint are whole in both',
  );
  const changed = await compareTopics(log, 'a.changed', 'b.changed', { key, where });
  t.ok(changed.keysDiffering > 0 && changed.onlyA === changed.onlyB);
  t.match(await compareTopics(log, 'a.changed', 'b.changed', { key, where, ignore: ['worth'] }), {
    equal: true,
  });

  const own = (await store.list('b'))[0];
  const [from, to] = [
    await openCheckpoint(store, 'a', checkpoint),
    await openCheckpoint(store, 'b', own?.id ?? checkpointId(0)),
  ];
  for (const diff of await diffCheckpoints(from, to))
    t.match(
      diff,
      { added: 0, removed: 0, changed: 0, othersChanged: false },
      `the fork begins with the same ${diff.operator}`,
    );
});
