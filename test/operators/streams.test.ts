import t, { type Test } from 'tap';
import { partitionLog } from '#engine';
import { count, type DataStream, defineJob, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { input, type TestInput, testJob } from '../../operators/testing/index.ts';

const Reading = schema('reading', { at: eventTime(1), device: string(2), value: f64(3) });
type Reading = Infer<typeof Reading>;
const readings = partitionLog('readings', Reading);
const reading = (at: number, device: string, value = 1): Reading => ({ at, device, value });
const rows = [reading(1, 'a', 3), reading(2, 'b', 12), reading(3, 'c', -4), reading(4, 'a', 20)];

/** All ways of running a job give the same records, in any order. */
async function everyWay(
  test: Test,
  job: ReturnType<typeof defineJob>,
  inputs: Readonly<Record<string, TestInput>>,
  sinks: readonly string[],
): Promise<Record<string, unknown[]>> {
  const text = (records: readonly unknown[]) => records.map((it) => JSON.stringify(it)).sort();
  const plain = await testJob(job, { inputs });
  for (const interpreted of [false, true]) {
    const restored = await testJob(job, {
      inputs,
      interpreted,
      restoreAfterEveryStep: true,
      rescale: [2, 1, 3],
    });
    for (const sink of sinks) test.same(text(restored.records(sink)), text(plain.records(sink)), sink);
  }
  return Object.fromEntries(sinks.map((sink) => [sink, [...plain.records(sink)]]));
}

void t.test(
  'E1: derived fields are computed from the record as it came, and keys and aggregates see them',
  async (test) => {
    const job = defineJob('derive', { guarantee: 'exactly-once' }, (build) => {
      const derived = build.source('readings', readings).derive({
        site: (row) => row.device.toUpperCase(),
        value: (row) => row.value * 10,
      });
      derived.map(({ at, site, value }) => ({ at, device: site, value })).to('out', readings);
      derived
        .keyBy('site')
        .window(tumbling('1s'))
        .aggregate('per-key', { n: count() })
        .map(({ key, value }) => ({ at: 0, device: key.site, value: value.n }))
        .to('counts', readings);
    });
    const { out, counts } = await everyWay(test, job, { readings: input(Reading, rows) }, ['out', 'counts']);
    test.same(
      out,
      rows.map((row) => reading(row.at, row.device.toUpperCase(), row.value * 10)),
    );
    test.same(counts, [reading(0, 'A', 2), reading(0, 'B', 1), reading(0, 'C', 1)]);
  },
);

void t.test('E1: a union has the records of all its streams, and the time of the slowest', async (test) => {
  const job = defineJob('union', { guarantee: 'exactly-once' }, (build) => {
    const left = build.source('left', readings);
    const right = build.source('right', readings);
    left
      .filter((row) => row.value > 0)
      .union(
        right,
        right.map((row) => ({ ...row, device: 'copy' })),
      )
      .keyBy('device')
      .window(tumbling('10ms'))
      .aggregate('per-key', { n: count() })
      .map(({ key, window, value }) => reading(window.start, key.device, value.n))
      .to('out', readings);
  });
  const inputs = {
    left: input(Reading, rows),
    right: input(Reading, [
      reading(1, 'a'),
      reading(25, 'a'),
      reading(9, 'late for its source, not for the union'),
    ]),
  };
  const { out } = await everyWay(test, job, inputs, ['out']);
  const counted = (out as Reading[]).filter((row) => row.device === 'a' && row.at === 0);
  test.same(counted, [reading(0, 'a', 3)]);
  test.equal(
    (out as Reading[]).reduce((sum, row) => sum + row.value, 0),
    9,
  );
});

void t.test('E1: streams of one source meet, each with its own steps', async (test) => {
  const job = defineJob('meet', { guarantee: 'exactly-once' }, (build) => {
    const all = build.source('readings', readings);
    const high = all.filter((row) => row.value > 10);
    const doubled = all
      .filter((row) => row.value < 10)
      .map((row) => reading(row.at, row.device, row.value * 2));
    doubled.union(high).to('union', readings);
    doubled
      .keyBy('device')
      .coGroup('pairs', high.keyBy('device'), {
        windows: tumbling('10ms'),
        group: ({ device }, { start }, [left], [right]) =>
          left === undefined || right === undefined ? [] : [reading(start, device, left.value + right.value)],
      })
      .to('paired', readings);
  });
  const inputs = { readings: input(Reading, rows) };
  const { union, paired } = await everyWay(test, job, inputs, ['union', 'paired']);
  test.same(
    new Set(union),
    new Set([reading(1, 'a', 6), reading(3, 'c', -8), reading(2, 'b', 12), reading(4, 'a', 20)]),
  );
  test.same(paired, [reading(0, 'a', 26)]);
});

void t.test('E1: split sends each record to its first branch, the rest goes on', async (test) => {
  const job = defineJob('split', { guarantee: 'exactly-once' }, (build) => {
    const parts = build.source('readings', readings).split({
      hot: (row) => row.value > 10,
      warm: (row) => row.value > 0,
    });
    parts.side.hot.to('hot', readings);
    parts.side.warm.to('warm', readings);
    parts.to('rest', readings);
  });
  const parts = await everyWay(test, job, { readings: input(Reading, rows) }, ['hot', 'warm', 'rest']);
  test.same(parts, { hot: [rows[1], rows[3]], warm: [rows[0]], rest: [rows[2]] });
});

void t.test('E1: through splices in a fragment; streams of another job are refused', async (test) => {
  const positive = (stream: DataStream<Reading, 'exactly-once'>) => stream.filter((row) => row.value > 0);
  const job = defineJob('through', { guarantee: 'exactly-once' }, (build) =>
    build.source('readings', readings).through(positive).to('out', readings),
  );
  const { out } = await everyWay(test, job, { readings: input(Reading, rows) }, ['out']);
  test.equal(out?.length, 3);
  let other: DataStream<Reading, 'exactly-once'> | null = null;
  defineJob('other', { guarantee: 'exactly-once' }, (build) => {
    other = build.source('readings', readings);
    other.to('out', readings);
  });
  test.throws(
    () =>
      defineJob('mixed', { guarantee: 'exactly-once' }, (build) =>
        build
          .source('readings', readings)
          .union(other as never)
          .to('out', readings),
      ),
    { code: 'MR_GRAPH_INVALID', message: /same job/ },
  );
});

void t.test(
  'E9: a record without a key is set aside on behalf of the operator it was for, at any parallelism',
  async (test) => {
    const job = defineJob('keyless', { guarantee: 'exactly-once' }, (build) => {
      build
        .source('readings', readings)
        .keyBy((row) => (row.value < 0 ? Number.NaN : row.device))
        .reduce('newest', (_, row) => row)
        .to('out', readings);
    });
    const key = (row: Reading) => (row.value < 0 ? Number.NaN : row.device);
    const windows = tumbling('10ms');
    const joined = defineJob('keyless-join', { guarantee: 'exactly-once' }, (build) => {
      const all = build.source('readings', readings);
      const low = all.filter((row) => row.value < 10).keyBy(key);
      low
        .coGroup('newest', all.map((row) => row).keyBy(key), { windows, group: () => [] })
        .to('out', readings);
    });
    const apart = defineJob('keyless-apart', { guarantee: 'exactly-once' }, (build) => {
      const left = build.source('readings', readings).keyBy(key);
      const right = build.source('others', readings).keyBy(key);
      left.coGroup('newest', right, { windows, group: () => [] }).to('out', readings);
    });
    const refused = { operator: 'newest', reason: 'MR_KEY_INVALID', record: rows[2] };
    const inputs = { readings: input(Reading, rows) };
    const both = { ...inputs, others: input(Reading, rows) };
    for (const parallelism of [1, 3]) {
      test.match((await testJob(job, { inputs, parallelism })).deadLetters, [refused]);
      test.match((await testJob(joined, { inputs, parallelism })).deadLetters, [refused, refused]);
      test.match((await testJob(apart, { inputs: both, parallelism })).deadLetters, [refused, refused]);
    }
  },
);
