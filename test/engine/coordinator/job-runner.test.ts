import t from 'tap';
import { DeadLetter, deadLetterTopic, seededRandom } from '#engine';
import { avg, count, defineJob, max, min, partitionLog, p99, sum, tumbling } from '#operators';
import { eventTime, f64, type Infer, nullable, schema, string } from '#wire';
import { createJobBench, until } from '../../support/job-bench.ts';

const Reading = schema('reading', { ts: eventTime(1), device: string(2), value: nullable(f64(3)) });
type Reading = Infer<typeof Reading>;
const Result = schema('result', {
  end: eventTime(1),
  device: string(2),
  n: f64(3),
  total: nullable(f64(4)),
  low: nullable(f64(5)),
  high: nullable(f64(6)),
  mean: nullable(f64(7)),
  top: nullable(f64(8)),
});
type Result = Infer<typeof Result>;

const SIZE = 10_000;

const job = (parallelism: number, interpreted: boolean) =>
  defineJob(
    'windows',
    { guarantee: 'exactly-once', checkpointInterval: '100ms', parallelism, interpreted },
    (builder) => {
      const windows = builder
        .source('readings', partitionLog('in', Reading), { outOfOrderness: '2s', idleAfter: '200ms' })
        .filter((reading) => reading.device !== 'ignored')
        .keyBy('device')
        .window(tumbling(SIZE))
        .allowedLateness('1s')
        .aggregate('per-device', {
          n: count(),
          total: sum('value'),
          low: min('value'),
          high: max('value'),
          mean: avg('value'),
          top: p99('value'),
        });
      windows
        .map(({ key, window, value }) => ({ end: window.end, device: key.device, ...value }))
        .to('out', partitionLog('out', Result));
      windows.side.late.to('late', partitionLog('late', Reading));
    },
  );

function readings(count_: number, seed: number): Reading[] {
  const random = seededRandom(seed);
  const rows: Reading[] = [];
  for (let i = 0; i < count_; i++) {
    const device = random() < 0.05 ? 'ignored' : `dev-${Math.floor(random() * 40)}`;
    // 1 in 50 far behind, so that some are late for good.
    const behind = random() < 0.02 ? random() * 30_000 : random() * 1_500;
    rows.push({
      ts: Math.round(1_000_000 + i * 20 - behind),
      device,
      value: random() < 0.1 ? null : Math.round(random() * 1e4) / 100,
    });
  }
  return rows;
}

/** Last result per key and window, since late records give a window's result again. */
const lastByWindow = (results: readonly Result[]) => {
  const last = new Map<string, Result>();
  for (const result of results) {
    const key = `${result.device}|${result.end}`;
    const known = last.get(key);
    if (known === undefined || result.n > known.n) last.set(key, result);
  }
  return last;
};

function check(
  test: Tap.Test,
  rows: readonly Reading[],
  results: readonly Result[],
  late: readonly Reading[],
): void {
  const counted = rows.filter((row) => row.device !== 'ignored');
  const lateKeys = new Map<string, number>();
  for (const row of late) lateKeys.set(JSON.stringify(row), (lateKeys.get(JSON.stringify(row)) ?? 0) + 1);
  const expected = new Map<string, Reading[]>();
  for (const row of counted) {
    const left = lateKeys.get(JSON.stringify(row)) ?? 0;
    if (left > 0) {
      lateKeys.set(JSON.stringify(row), left - 1);
      continue;
    }
    const key = `${row.device}|${Math.floor(row.ts / SIZE) * SIZE + SIZE}`;
    expected.set(key, [...(expected.get(key) ?? []), row]);
  }
  const last = lastByWindow(results);
  test.same([...last.keys()].sort(), [...expected.keys()].sort(), 'the same windows');
  let wrong = 0;
  for (const [key, members] of expected) {
    const values = members.map((row) => row.value).filter((value) => value !== null);
    const got = last.get(key) as Result;
    const total = values.reduce((a, b) => a + b, 0);
    const same =
      got.n === members.length &&
      (values.length === 0
        ? got.total === null && got.low === null && got.mean === null
        : Math.abs((got.total as number) - total) < 1e-6 &&
          got.low === Math.min(...values) &&
          got.high === Math.max(...values) &&
          Math.abs((got.mean as number) - total / values.length) < 1e-9);
    if (!same) wrong++;
  }
  test.equal(wrong, 0, `${expected.size} windows equal the recount`);
  test.equal(
    late.length + [...last.values()].reduce((n, r) => n + r.n, 0),
    counted.length,
    'results + late = input (S1, E3)',
  );
}
type Tap = typeof t;
declare namespace Tap {
  type Test = Pick<typeof t, 'same' | 'equal'>;
}

for (const [parallelism, interpreted] of [
  [1, false],
  [1, true],
  [3, false],
  [3, true],
] as const) {
  void t.test(
    `E1 E3: windows and late records account for every input, parallelism ${parallelism}, ${interpreted ? 'interpreted' : 'generated'}`,
    async (test) => {
      const bench = createJobBench();
      const rows = readings(20_000, 7);
      // The end of time for every device: the last windows close by it.
      await bench.feed('in', Reading, rows, { partitions: 3 });
      const handle = bench.run(job(parallelism, interpreted).graph());
      await until(
        () => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0) >= rows.length,
        'all read',
      );
      await bench.feed(
        'in',
        Reading,
        [0, 1, 2].map(() => ({ ts: 1_000_000 + 20_000 * 20 + 60_000, device: 'ignored', value: 0 })),
        { partitions: 3, producer: 'closer' },
      );
      await until(() => {
        const status = handle.status();
        return (
          (status.operators.find((o) => o.id === 'per-device')?.watermark ?? 0) > 1_000_000 + 20_000 * 20
        );
      }, 'watermark passed');
      await handle.stop();
      test.equal(handle.status().state, 'stopped');
      test.same(handle.status().failures, []);
      const late = await bench.read('late', Reading);
      test.ok(late.length > 5, `${late.length} late records`);
      check(test, rows, await bench.read('out', Result), late);
    },
  );
}

void t.test(
  'E9 LS2: a record without key, a throwing step and a timestamp in 2100 go to dead letters when declared',
  async (test) => {
    const bench = createJobBench();
    const definition = defineJob(
      'bad',
      { guarantee: 'exactly-once', checkpointInterval: '100ms', onError: 'dead-letter' },
      (builder) => {
        builder
          .source('readings', partitionLog('in', Reading))
          .map((row) => {
            if (row.value === 13) throw new Error('thirteen');
            return row;
          })
          .keyBy((row) => (row.value === 7 ? (null as unknown as string) : row.device))
          .window(tumbling('10s'))
          .aggregate('per-device', { n: count() })
          .map(({ key, window, value }) => ({
            end: window.end,
            device: key,
            n: value.n,
            total: null,
            low: null,
            high: null,
            mean: null,
            top: null,
          }))
          .to('out', partitionLog('out', Result));
      },
    );
    const values = [1, 7, 13, 2];
    await bench.feed(
      'in',
      Reading,
      [
        ...values.map((value) => ({ ts: 1000, device: 'a', value })),
        { ts: Date.UTC(2100, 0, 1), device: 'a', value: 3 },
        { ts: 100_000, device: 'a', value: 4 },
      ],
      { partitions: 1 },
    );
    const handle = bench.run(definition.graph());
    await until(async () => (await bench.read('out', Result)).length > 0, 'a result');
    await handle.stop();
    const dead = await bench.read(deadLetterTopic('bad'), DeadLetter);
    test.same(
      dead.map((letter) => [letter.operator, letter.reason]).sort((a, b) => a.join().localeCompare(b.join())),
      [
        ['per-device', 'MR_KEY_INVALID'],
        ['per-device', 'MR_OPERATOR_FAILED'],
        ['readings', 'future-timestamp'],
      ],
    );
    const results = await bench.read('out', Result);
    test.same(
      results.map((r) => [r.device, r.end, r.n]),
      [['a', 10_000, 2]],
      'the year 2100 closed no window',
    );
  },
);

void t.test(
  'E9: a throwing step fails the attempt, and the job restarts, when nothing else is declared',
  async (test) => {
    const bench = createJobBench();
    let calls = 0;
    const definition = defineJob(
      'retry',
      { guarantee: 'exactly-once', checkpointInterval: '100ms', restart: { first: '10ms' } },
      (builder) => {
        builder
          .source('readings', partitionLog('in', Reading))
          .filter(() => {
            calls++;
            if (calls === 3) throw new Error('third time');
            return true;
          })
          .to('out', partitionLog('copy', Reading));
      },
    );
    const rows = readings(50, 3);
    await bench.feed('in', Reading, rows, { partitions: 1 });
    const handle = bench.run(definition.graph());
    await until(async () => (await bench.read('copy', Reading)).length >= 50, 'all copied');
    await handle.stop();
    test.equal(handle.status().restarts, 1);
    test.match(handle.status().failures[0], { code: 'MR_OPERATOR_FAILED', operator: 'out~input' });
    test.same((await bench.read('copy', Reading)).length, 50, 'each once');
  },
);

void t.test(
  'E9: the ids of sinks and where sources start are published before any record, so that an early death leaves no unknown stage',
  async (test) => {
    const bench = createJobBench();
    await bench.feed('in', Reading, readings(10, 3), { partitions: 1 });
    const definition = defineJob(
      'early',
      { guarantee: 'exactly-once', checkpointInterval: '1h' },
      (builder) => {
        builder
          .source('readings', partitionLog('in', Reading), { startFrom: 'latest' })
          .to('out', partitionLog('copy', Reading));
      },
    );
    const first = bench.run(definition.graph());
    await until(() => first.status().state === 'running', 'running');
    const start = await bench.environment.store.latest('early');
    await first.cancel();
    test.ok(start, 'a manifest before the first interval is over');
    await bench.feed('in', Reading, readings(20, 4), { partitions: 1, producer: 'later' });
    const second = bench.run(definition.graph());
    await until(() => second.status().state === 'running', 'running again');
    test.equal(second.status().checkpoints.restoredFrom, start?.id);
    await until(() => second.status().sources[0]?.recordsRead === 20, 'what came in between is read');
    await second.stop();
    const sinkIds = (await bench.environment.store.latest('early'))?.sinks.map((sink) => sink.sinkId);
    test.same(
      sinkIds,
      start?.sinks.map((sink) => sink.sinkId),
      'the same sinks',
    );
    test.equal((await bench.read('copy', Reading)).length, 20, 'and nothing from before the first start');
  },
);
