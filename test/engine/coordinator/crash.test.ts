import t from 'tap';
import { type JobHandle, type JobOptions, seededRandom, systemClock } from '#engine';
import { count, defineJob, defineOperator, partitionLog, sum, tumbling, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { createJobBench, type JobBench, until } from '../../support/job-bench.ts';

const Reading = schema('reading', { ts: eventTime(1), tenant: string(2), device: string(3), value: f64(4) });
type Reading = Infer<typeof Reading>;
const Window = schema('window', {
  end: eventTime(1),
  tenant: string(2),
  device: string(3),
  n: f64(4),
  total: f64(5),
});
type Window = Infer<typeof Window>;
const Tenth = schema('tenth', { ts: eventTime(1), device: string(2), seen: f64(3) });
type Tenth = Infer<typeof Tenth>;

const PARTITIONS = 3;
const SIZE = 1_000;
const COUNT = 6_000;
const END = 1_000_000 + COUNT * 10;

/** Says every tenth reading of a device, with a timer's help once more two seconds after its first. */
const everyTenth = defineOperator({
  key: type<{ readonly device: string }>(),
  input: type<Reading>(),
  output: type<Tenth>(),
  state: { seen: valueState<number>() },
  onRecord(reading, { key, state, timers, emit }) {
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    if (seen === 1) timers.at(reading.ts + 1_000_000);
    if (seen % 10 === 0) emit({ ts: reading.ts, device: key.device, seen });
  },
  onTimer(firedAt, { key, state, emit }) {
    emit({ ts: firedAt, device: key.device, seen: -(state.seen.get() ?? 0) });
  },
});

const job = defineJob(
  'crashing',
  {
    guarantee: 'exactly-once',
    checkpointInterval: '100ms',
    maxParallelism: 16,
    restart: { first: '10ms', max: '20ms' },
  },
  (builder) => {
    const readings = builder.source('readings', partitionLog('in', Reading), {
      outOfOrderness: '500ms',
      idleAfter: '1h',
    });
    readings
      .asyncMap(
        'enrich',
        async (reading) => {
          await systemClock.sleep(1);
          return reading;
        },
        { concurrency: 24 },
      )
      .filter((reading) => reading.device !== 'closer')
      .keyBy('tenant', 'device')
      .window(tumbling(SIZE))
      .aggregate('windows', { n: count(), total: sum('value') })
      .map(
        ({ key, window, value }): Window => ({
          end: window.end,
          ...key,
          n: value.n,
          total: value.total ?? 0,
        }),
      )
      .to('out', partitionLog('out', Window, { partitions: 2, partitionBy: 'device' }));
    readings
      .filter((reading) => reading.device !== 'closer')
      .keyBy('device')
      .process('tenth', everyTenth)
      .to('tenth-out', partitionLog('tenth', Tenth, { partitions: 1 }));
  },
);

function input(seed: number): Reading[] {
  const random = seededRandom(seed);
  const rows = Array.from({ length: COUNT }, (_, i): Reading => {
    const device = `dev-${Math.floor(random() * 30)}`;
    return {
      ts: 1_000_000 + i * 10 - Math.floor(random() * 400),
      tenant: `t${device.length}`,
      device,
      value: Math.floor(random() * 100),
    };
  });
  const closers = Array.from(
    { length: PARTITIONS },
    (_, p): Reading => ({ ts: END + 5_000_000, tenant: 'x', device: 'closer', value: p }),
  );
  return [...rows, ...closers];
}

/** What must come out, counted from scratch; the order inside a partition is each device's order. */
function expected(rows: readonly Reading[]): { readonly windows: string[]; readonly tenths: string[] } {
  const windows = new Map<string, Window>();
  const seen = new Map<string, { n: number; first: number }>();
  const tenths: Tenth[] = [];
  for (const { ts, tenant, device, value } of rows) {
    if (device === 'closer') continue;
    const end = Math.floor(ts / SIZE) * SIZE + SIZE;
    const window = windows.get(`${device}/${end}`) ?? { end, tenant, device, n: 0, total: 0 };
    windows.set(`${device}/${end}`, { ...window, n: window.n + 1, total: window.total + value });
    const known = seen.get(device) ?? { n: 0, first: ts };
    seen.set(device, { ...known, n: known.n + 1 });
    if ((known.n + 1) % 10 === 0) tenths.push({ ts, device, seen: known.n + 1 });
  }
  for (const [device, { n, first }] of seen) tenths.push({ ts: first + 1_000_000, device, seen: -n });
  return { windows: lines([...windows.values()]), tenths: lines(tenths) };
}

const lines = (rows: readonly object[]) =>
  rows
    .map((row) =>
      JSON.stringify(Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))),
    )
    .sort();

class Crash extends Error {}

/** Runs the job until `moment`: some time, or a number of kill points passed; then it is gone without a word. */
async function runAndCrash(
  bench: JobBench,
  options: Partial<JobOptions>,
  moment: { readonly ms: number } | { readonly points: number },
): Promise<string> {
  let points = 'points' in moment ? moment.points : Number.POSITIVE_INFINITY;
  let where = 'anywhere';
  let handle: JobHandle | null = null;
  const crashed = Promise.withResolvers<void>();
  handle = bench.run(job.graph(options), {
    killPoint(name) {
      if (points-- > 0) return;
      where = name;
      crashed.resolve();
      void handle?.cancel();
      throw new Crash(name);
    },
  });
  await Promise.race([crashed.promise, systemClock.sleep('ms' in moment ? moment.ms : 3_000)]);
  await handle.cancel();
  return where;
}

async function finish(bench: JobBench, options: Partial<JobOptions>, windows: number): Promise<JobHandle> {
  const handle = bench.run(job.graph(options));
  await until(async () => (await bench.read('out', Window)).length >= windows, 'all windows', 20_000);
  await until(
    async () => (await bench.read('tenth', Tenth)).some((row) => row.seen < 0),
    'the timers',
    20_000,
  );
  await handle.stop();
  return handle;
}

const plans: readonly (readonly [string, readonly number[]])[] = [
  ['parallelism 1', [1]],
  ['parallelism 3', [3]],
  ['rescaled 1 → 3 → 2', [1, 3, 2]],
];
for (const [name, parallelisms] of plans) {
  for (const seed of [1, 2]) {
    void t.test(
      `E1 E2 AT1 AT2 SR2 LS1 SW1 SW2 LW1: a job that crashes again and again gives what it gives without: ${name}, seed ${seed}`,
      async (test) => {
        const bench = createJobBench();
        const rows = input(seed);
        const partitionOf = (row: Reading) =>
          row.device === 'closer' ? row.value : Number(row.device.slice(4)) % PARTITIONS;
        await bench.feed('in', Reading, rows, { partitions: PARTITIONS, partitionOf });
        const want = expected(rows);
        const random = seededRandom(seed * 31);
        const crashes: string[] = [];
        for (let i = 0; i < 6; i++) {
          const moment =
            random() < 0.4 ? { ms: 30 + random() * 200 } : { points: 3 + Math.floor(random() * 9) };
          crashes.push(
            await runAndCrash(
              bench,
              { parallelism: parallelisms[i % parallelisms.length] as number },
              moment,
            ),
          );
        }
        const handle = await finish(
          bench,
          { parallelism: parallelisms.at(-1) as number },
          want.windows.length,
        );
        test.comment(crashes.join(', '));
        test.same(handle.status().failures, []);
        test.same(
          lines(await bench.read('out', Window)),
          want.windows,
          `${want.windows.length} windows, each once`,
        );
        test.same(
          lines(await bench.read('tenth', Tenth)),
          want.tenths,
          `${want.tenths.length} counts, each once`,
        );
        test.ok((handle.status().checkpoints.restoredFrom ?? 0) > 0, 'went on from a checkpoint');
      },
    );
  }
}
