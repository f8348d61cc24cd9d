import t from 'tap';
import { partitionLog } from '#engine';
import { count, defineJob, defineOperator, sum, tumbling, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { barrier, crash, idle, input, pause, testJob, watermark } from '../../../operators/testing/index.ts';

const Reading = schema('reading', { at: eventTime(1), device: string(2), value: f64(3) });
type Reading = Infer<typeof Reading>;
const readings = partitionLog('readings', Reading);
const reading = (at: number, device: string, value = 1): Reading => ({ at, device, value });

const windows = defineJob('windows', { guarantee: 'exactly-once' }, (job) => {
  const counts = job
    .source('readings', readings, { outOfOrderness: '1s' })
    .keyBy('device')
    .window(tumbling('10s'))
    .aggregate('counts', { n: count(), total: sum('value') });
  counts
    .map(({ key, window, value }) => ({ at: window.start, device: key.device, value: value.total ?? 0 }))
    .to('out', readings);
  counts.side.late.to('late', readings);
});

const rows = [
  reading(1_000, 'a', 1),
  reading(4_000, 'b', 2),
  reading(9_000, 'a', 4),
  reading(12_000, 'a', 8),
];
const totals = [reading(0, 'a', 5), reading(0, 'b', 2), reading(10_000, 'a', 8)];
const byTime = (a: Reading, b: Reading) => a.at - b.at || a.device.localeCompare(b.device);

void t.test('E12: a windowed job in five lines; the end of input closes what is open', async (test) => {
  const result = await testJob(windows, { inputs: { readings: input(Reading, rows) } });
  test.same([...result.records<Reading>('out')].sort(byTime), totals);
  test.same(
    result.output('out').map(({ timestamp }) => timestamp),
    [9_999, 9_999, 19_999],
  );
  test.same(result.records('late'), []);
});

void t.test('E12: time follows the records by outOfOrderness, or the markers alone', async (test) => {
  const late = [reading(1_000, 'a'), reading(11_001, 'a'), reading(2_000, 'a')];
  const followed = await testJob(windows, { inputs: { readings: input(Reading, late) } });
  test.same(followed.records('late'), [reading(2_000, 'a')]);
  const marked = await testJob(windows, {
    inputs: {
      readings: input(Reading, [...late, watermark(9_999), late[0] as Reading], {
        watermarks: 'from-markers',
      }),
    },
  });
  test.same(marked.records('late'), [reading(1_000, 'a')]);
});

void t.test('E12: a record may have a field of any name, also that of a marker', async (test) => {
  // Regression: such a record was taken for a marker, and was never given.
  const Pin = schema('pin', { at: eventTime(1), marker: string(2) });
  const job = defineJob('pins', { guarantee: 'exactly-once' }, (build) => {
    build.source('pins', partitionLog('pins', Pin)).to('out', partitionLog('pins-out', Pin));
  });
  const pins = [
    { at: 1, marker: 'red' },
    { at: 2, marker: 'idle' },
  ];
  const result = await testJob(job, { inputs: { pins: input(Pin, [...pins, watermark(5)]) } });
  test.same(result.records('out'), pins);
});

void t.test('E12: without the end of input only what watermarks have closed comes out', async (test) => {
  const { records } = await testJob(windows, {
    inputs: { readings: input(Reading, rows) },
    endOfInput: false,
  });
  test.same(records('out'), totals.slice(0, 2));
});

void t.test(
  'E12: a crash falls back to the latest barrier, and changes nothing in the results',
  async (test) => {
    const [first, second, third, fourth] = rows as [Reading, Reading, Reading, Reading];
    const result = await testJob(windows, {
      inputs: { readings: input(Reading, [first, barrier(), second, third, crash(), fourth, crash()]) },
    });
    test.equal(result.restores, 2);
    test.same([...result.records<Reading>('out')].sort(byTime), totals);
  },
);

void t.test(
  'E12: restored into new instances after every step, at other parallelisms: the same results',
  async (test) => {
    for (const interpreted of [false, true]) {
      const result = await testJob(windows, {
        inputs: { readings: input(Reading, rows) },
        restoreAfterEveryStep: true,
        rescale: [3, 1, 2],
        interpreted,
      });
      test.equal(result.restores, rows.length);
      test.same([...result.records<Reading>('out')].sort(byTime), totals);
    }
  },
);

void t.test(
  'E12: pause moves the wall clock, for calls that wait; records pass their codec',
  async (test) => {
    const job = defineJob('async', { guarantee: 'exactly-once' }, (build) => {
      build
        .source('readings', readings)
        .asyncMap('double', async (row) => ({ ...row, value: row.value * 2 }))
        .to('out', readings);
    });
    const result = await testJob(job, {
      inputs: { readings: input(Reading, [...rows, idle(), pause('1s')]) },
    });
    test.same(
      result.records('out'),
      rows.map((row) => ({ ...row, value: row.value * 2 })),
    );
    await test.rejects(
      testJob(job, { inputs: { readings: input(Reading, [{ at: 1, device: 2 } as never]) } }),
      { code: 'MR_RECORD_INVALID' },
    );
  },
);

void t.test('E12: what makes a job fail makes the test fail; dead letters are shown', async (test) => {
  const boom = defineOperator({
    key: type<{ readonly device: string }>(),
    input: type<Reading>(),
    output: type<Reading>(),
    state: { seen: valueState<number>() },
    onRecord(row, { emit, state }) {
      if (row.value < 0) throw new Error(`negative: ${row.value}`);
      state.seen.set((state.seen.get() ?? 0) + 1);
      emit(row);
    },
  });
  const job = (onError: 'fail' | 'dead-letter') =>
    defineJob('boom', { guarantee: 'exactly-once', onError }, (build) => {
      build.source('readings', readings).keyBy('device').process('boom', boom).to('out', readings);
    });
  const inputs = { readings: input(Reading, [reading(1, 'a'), reading(2, 'a', -1), reading(3, 'a')]) };
  await test.rejects(testJob(job('fail'), { inputs }), { message: /negative: -1/ });
  const result = await testJob(job('dead-letter'), { inputs });
  test.same(result.records('out'), [reading(1, 'a'), reading(3, 'a')]);
  test.match(result.deadLetters, [{ operator: 'boom', record: reading(2, 'a', -1) }]);
});

void t.test('E12: inputs that do not fit the job are refused', async (test) => {
  await test.rejects(testJob(windows, { inputs: {} }), { message: /source 'readings' has no input/ });
  const inputs = { readings: input(Reading, []), reading: input(Reading, []) };
  await test.rejects(testJob(windows, { inputs }), { message: /no source 'reading'/ });
  const result = await testJob(windows, { inputs: { readings: input(Reading, []) } });
  test.throws(() => result.records('nothing'), { message: /no sink 'nothing'/ });
});

void t.test('E12: a run that fails lets go of what it had open', async (test) => {
  const signals: AbortSignal[] = [];
  const job = defineJob('held', { guarantee: 'exactly-once' }, (build) => {
    build
      .source('readings', readings)
      .asyncMap(
        'held',
        async (row, { signal }) => {
          signals.push(signal);
          if (row.value < 0) throw new Error('a bad record');
          return new Promise<Reading>(() => {});
        },
        { order: 'unordered' },
      )
      .to('out', readings);
  });
  const script = input(Reading, [reading(1, 'a'), reading(1, 'a', -1)], { watermarks: 'from-markers' });
  await test.rejects(testJob(job, { inputs: { readings: script } }), { message: /a bad record/ });
  test.ok(signals[0]?.aborted, 'the call that still waits is told');
});
