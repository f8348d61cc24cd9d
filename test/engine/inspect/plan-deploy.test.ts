import t from 'tap';
import type { CheckpointStore, JobGraph, Manifest } from '#engine';
import {
  count,
  type DataStream,
  defineJob,
  defineOperator,
  max,
  partitionLog,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { type DeployPlan, planDeploy, type PlanOptions } from '../../../engine/inspect/plan-deploy.ts';
import { rehearseRestore } from '../../../engine/inspect/rehearse-restore.ts';
import { createJobBench, type JobBench, until } from '../../support/job-bench.ts';

const Reading = schema('reading', { at: eventTime(1), device: string(2), site: string(3), value: f64(4) });
type Reading = Infer<typeof Reading>;
type Readings = DataStream<Reading, 'exactly-once'>;

const totals = (version: 1 | 2, withUpgrade: boolean) =>
  defineOperator({
    key: type<{ device: string }>(),
    input: type<Reading>(),
    output: type<Reading>(),
    state: {
      total: valueState<number>(
        version === 1
          ? {}
          : { version: 2, ...(withUpgrade ? { upgrade: { 1: (old: number) => old * 2 } } : {}) },
      ),
    },
    onRecord(reading, { state: { total }, emit }) {
      total.set((total.get() ?? 0) + reading.value);
      emit(reading);
    },
  });

interface Version {
  readonly windowed?: ((readings: Readings) => unknown) | null;
  readonly processed?: (readings: Readings) => unknown;
  readonly topic?: string;
  readonly maxParallelism?: number;
  readonly parallelism?: number;
}

const windows = (readings: Readings) =>
  readings
    .keyBy('device')
    .window(tumbling('10s'))
    .aggregate('windows', { n: count(), total: sum('value') });

/** One version of the job: a window, and a process operator. */
const version = ({
  windowed = windows,
  processed,
  topic = 'in',
  maxParallelism = 128,
  parallelism = 2,
}: Version = {}): JobGraph =>
  defineJob(
    'planned',
    { guarantee: 'exactly-once', checkpointInterval: '1h', maxParallelism, parallelism },
    (builder) => {
      const source = builder.source('readings', partitionLog(topic, Reading));
      const sent = processed?.(source) ?? source.keyBy('device').process('totals', totals(1, false));
      (sent as Readings).to('out', partitionLog('out', Reading));
      (windowed?.(source) as { filter?: (is: () => boolean) => Readings } | undefined)
        ?.filter?.(() => false)
        .to('windows-out', partitionLog('windows-out', Reading));
    },
  ).graph();

async function savepoint(bench: JobBench): Promise<Manifest> {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    at: i * 100,
    device: `d${i % 20}`,
    site: 's',
    value: i,
  }));
  await bench.feed('in', Reading, rows);
  const handle = bench.run(version());
  await until(() => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0) === 60, 'all read');
  await handle.stop({ savepoint: true });
  return (await bench.environment.store.latest('planned')) as Manifest;
}

async function planned(
  store: CheckpointStore,
  graph: JobGraph,
  manifest: Manifest,
  options: PlanOptions & { readonly full?: boolean } = {},
): Promise<DeployPlan> {
  return planDeploy(graph, manifest, {
    refusals: await rehearseRestore(store, graph, manifest, options),
    ...options,
  });
}

const statusOf = (plan: DeployPlan, id: string) => plan.operators.find((operator) => operator.id === id);

/** Versions, what a plan says of one of their operators, and whether the engine refuses to run them. */
const VERSIONS: Readonly<Record<string, readonly [Version, string, object, boolean]>> = {
  'the same version': [{}, 'windows', { status: 'matched', reason: null }, false],
  'another parallelism': [{ parallelism: 3 }, 'totals', { status: 'matched' }, false],
  'another aggregate': [
    {
      windowed: (it) =>
        it
          .keyBy('device')
          .window(tumbling('10s'))
          .aggregate('windows', { high: max('value') }),
    },
    'windows',
    { status: 'matched' },
    false,
  ],
  'another window size': [
    { windowed: (it) => it.keyBy('device').window(tumbling('20s')).aggregate('windows', { n: count() }) },
    'windows',
    { status: 'incompatible', reason: /windows of 10000 ms.*asks for windows of 20000 ms/ },
    true,
  ],
  'another kind of operator': [
    { windowed: (it) => it.keyBy('device').reduce('windows', (a) => a) },
    'windows',
    { status: 'incompatible', kind: 'reduce' },
    true,
  ],
  'more key fields': [
    {
      windowed: (it) =>
        it.keyBy('device', 'site').window(tumbling('10s')).aggregate('windows', { n: count() }),
    },
    'windows',
    { status: 'incompatible', reason: /stored key has 1 fields/ },
    true,
  ],
  'a newer state schema with its upgrade': [
    { processed: (it) => it.keyBy('device').process('totals', totals(2, true)) },
    'totals',
    { status: 'matched' },
    false,
  ],
  'a newer state schema without an upgrade': [
    { processed: (it) => it.keyBy('device').process('totals', totals(2, false)) },
    'totals',
    { status: 'incompatible', reason: /without an upgrade from 1/ },
    true,
  ],
  'an operator that is gone': [
    { windowed: null },
    'windows',
    { status: 'orphaned', kind: 'window-aggregate' },
    true,
  ],
};

for (const [name, [changed, id, expected, isRefused]] of Object.entries(VERSIONS)) {
  void t.test(`${name}: the plan says what the engine then does`, async (t) => {
    const bench = createJobBench();
    const manifest = await savepoint(bench);
    const graph = version(changed);
    for (const full of [false, true]) {
      const plan = await planned(bench.environment.store, graph, manifest, { full });
      t.match(statusOf(plan, id), expected);
      t.equal(plan.verdict, isRefused ? 'refused' : 'ok', plan.text);
    }
    const handle = bench.run(graph);
    await until(
      () => ['running', 'failed', 'restarting'].includes(handle.status().state),
      'it has started or not',
    );
    t.equal(handle.status().failures.length > 0, isRefused);
    await handle.cancel();
  });
}

void t.test('what is dropped, renamed or new is said, with the verdict', async (t) => {
  const bench = createJobBench();
  const { store } = bench.environment;
  const manifest = await savepoint(bench);
  const without = await planned(store, version({ windowed: null }), manifest, {
    allowNonRestored: ['windows'],
  });
  t.match(statusOf(without, 'windows'), { status: 'dropped' });
  t.equal(without.verdict, 'ok');

  const bySite = version({
    windowed: (it) => it.keyBy('site').window(tumbling('10s')).aggregate('windows', { n: count() }),
  });
  const moved = await planned(store, bySite, manifest);
  t.match(statusOf(moved, 'windows'), {
    status: 'incompatible',
    reason: /keyed by device, the job keys by site/,
  });
  t.equal((await planned(store, bySite, manifest, { renamedKeys: ['windows'] })).verdict, 'ok');

  const elsewhere = await planned(store, version({ topic: 'elsewhere' }), manifest);
  t.match(elsewhere.topics, [
    { topic: 'elsewhere', status: 'new' },
    { topic: 'in', status: 'left' },
  ]);

  const more = await planned(store, version({ maxParallelism: 256, parallelism: 4 }), manifest);
  t.match(more, {
    verdict: 'refused',
    parallelism: { from: 2, to: 4 },
    maxParallelism: { from: 128, to: 256 },
  });

  const added = version({
    windowed: (it) => windows(it as Readings) && it.keyBy('device').reduce('sums', (a) => a),
  });
  t.match(statusOf(await planned(store, added, manifest), 'sums'), {
    status: 'new',
    reason: 'starts without state',
  });
});

void t.test('the text has a line for everything, and marks what is refused', async (t) => {
  const bench = createJobBench();
  const manifest = await savepoint(bench);
  const { text } = await planned(
    bench.environment.store,
    version({ windowed: null, parallelism: 3 }),
    manifest,
  );
  t.equal(
    text.replaceAll(/\d+ bytes/g, 'N bytes').replace(/savepoint \d+/, 'savepoint N'),
    `Job 'planned' from savepoint N of 'planned'
  = readings (partition-log): matched, N bytes
  = totals (process): matched, N bytes
  = out (partition-log): matched
  ! windows (window-aggregate): orphaned, N bytes: the job has no operator with this id. Give it its old id back, or allow its state to be dropped.
  - windows-out (partition-log): gone
  = topic in: kept
    parallelism 2 → 3
Verdict: refused
`,
  );
  t.match(planDeploy(version(), manifest).text, /No operator has been asked/);
});
