import fc from 'fast-check';
import t from 'tap';
import { DeadLetter, deadLetterTopic, type JobGraph, partitionLog } from '#engine';
import { count, defineJob, sum, tumbling } from '#operators';
import { eventTime, f64, i32, type Infer, keyPartitioner, schema, string } from '#wire';
import { createJobBench, type JobBench, until } from '../../support/job-bench.ts';

const Event = schema('event', { at: eventTime(1), tenant: string(2), device: string(3), v: f64(4) });
type Event = Infer<typeof Event>;
const Window = schema('window', { at: eventTime(1), device: string(2), n: i32(3), v: f64(4) });
const Total = schema('total', { at: eventTime(1), device: string(2), v: f64(3) });

const FIELDS = ['tenant', 'device'];
const KEY_GROUPS = 128;
const PARTITIONS = 4;
const WINDOW_MS = 10_000;
const partitionOf = keyPartitioner(Event, FIELDS, PARTITIONS, KEY_GROUPS);

/** Windows and running totals per device, keyed as the topic is partitioned; `exchanged` reads the same without knowing it. */
const job = (changes: { readonly exchanged?: boolean; readonly onError?: 'dead-letter' } = {}) =>
  defineJob(
    'per-device',
    {
      guarantee: 'exactly-once',
      restart: 'none',
      checkpointInterval: '1m',
      onError: changes.onError ?? 'fail',
    },
    (builder) => {
      const topic = changes.exchanged
        ? partitionLog('events', Event, { partitions: PARTITIONS })
        : partitionLog('events', Event, { partitions: PARTITIONS, partitionBy: FIELDS });
      const events = builder.source('events', topic, { outOfOrderness: '1h' }).filter(({ v }) => v >= 0);
      const keyed = events.derive({ v: ({ v }) => v * 2 }).keyBy('tenant', 'device');
      keyed
        .window(tumbling(WINDOW_MS))
        .aggregate('windows', { n: count(), v: sum('v') })
        .map(({ key, window, value }) => ({
          at: window.start,
          device: `${key.tenant}/${key.device}`,
          n: value.n,
          v: value.v ?? 0,
        }))
        .to('windows-out', partitionLog('windows', Window));
      keyed
        .reduce('totals', (a, b) => ({ ...b, v: a.v + b.v }))
        .map((e) => ({ at: e.at, device: `${e.tenant}/${e.device}`, v: e.v }))
        .to('totals-out', partitionLog('totals', Total));
    },
  );

const kindsInto = (handle: ReturnType<JobBench['run']>) =>
  handle
    .status()
    .edges.filter(({ to }) => to === 'windows' || to === 'totals')
    .map(({ kind }) => kind);

async function feed(bench: JobBench, producer: string, events: readonly Event[]): Promise<void> {
  await bench.log.createTopic('events', {
    partitions: PARTITIONS,
    schema: Event,
    partitionedBy: { fields: FIELDS, keyGroups: KEY_GROUPS },
  });
  await bench.feed('events', Event, events, { partitions: PARTITIONS, producer, partitionOf });
}

const offsets = (handle: ReturnType<JobBench['run']>) =>
  handle.status().sources.reduce((total, { offset }) => total + offset, 0);

/** What the topics hold, in an order of their own. */
async function outcome(bench: JobBench) {
  const windows = await bench.read('windows', Window);
  const totals = await bench.read('totals', Total);
  return {
    windows: windows.map(({ device, at, n, v }) => `${device} ${at} ${n} ${v}`).sort(),
    totals: totals.map(({ device, v }) => `${device} ${v}`).sort(),
  };
}

/** The same, from the events alone. */
function expected(events: readonly Event[]) {
  const windows = new Map<string, { n: number; v: number }>();
  const totals = new Map<string, number>();
  const running: string[] = [];
  for (const { at, tenant, device, v } of events.filter((event) => event.v >= 0)) {
    const name = `${tenant}/${device}`;
    const key = `${name} ${Math.floor(at / WINDOW_MS) * WINDOW_MS}`;
    const { n, v: before } = windows.get(key) ?? { n: 0, v: 0 };
    windows.set(key, { n: n + 1, v: before + 2 * v });
    const total = (totals.get(name) ?? 0) + 2 * v;
    totals.set(name, total);
    running.push(`${name} ${total}`);
  }
  return {
    windows: [...windows].map(([key, { n, v }]) => `${key} ${n} ${v}`).sort(),
    totals: running.sort(),
  };
}

const eventLists = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 60_000 }),
    tenant: fc.constantFrom('a', 'b', 'ä'),
    device: fc.integer({ min: 0, max: 25 }).map((n) => `press-${n}`),
    v: fc.integer({ min: -2, max: 50 }),
  }),
  { minLength: 20, maxLength: 120, size: 'max' },
);

await t.test(
  'E10: a job on a partitioned source is rescaled between parallelisms that divide its partitions and such that do not; every record counts once (EG1)',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(1, 2, 3, 4, 6, 8), eventLists), { minLength: 2, maxLength: 4 }),
        async (phases) => {
          const bench = createJobBench();
          const fed: Event[] = [];
          let handle: ReturnType<JobBench['run']> | null = null;
          for (const [i, [parallelism, events]] of phases.entries()) {
            await feed(bench, `feeder-${i}`, events);
            fed.push(...events);
            if (handle === null) handle = bench.run(job().graph({ parallelism }));
            else if (handle.status().parallelism !== parallelism) await handle.rescale(parallelism);
            const running = handle;
            await until(() => offsets(running) === fed.length, 'all read').catch((error: unknown) => {
              throw new Error(`${String(error)}: ${JSON.stringify(running.status().failures)}`);
            });
            const kind = parallelism === 1 || PARTITIONS % parallelism === 0 ? 'forward' : 'hash';
            t.same(kindsInto(running), [kind, kind]);
          }
          await handle?.stop({ drain: true });
          t.same(await outcome(bench), expected(fed));
        },
      ),
      { numRuns: 15 },
    );
  },
);

await t.test(
  'a subtask of a partitioned source reads the partitions of its own key groups, in order (EG1)',
  async (t) => {
    const bench = createJobBench();
    await feed(bench, 'feeder', []);
    const handle = bench.run(job().graph({ parallelism: 2 }));
    await until(() => handle.status().state === 'running', 'running');
    t.same(
      handle.status().subtasks.map(({ id, subtask }) => [id, subtask]),
      [
        ['events', 0],
        ['events', 1],
      ],
      'one vertex: nothing is exchanged',
    );
    t.same(
      handle.status().sources.map(({ partition }) => partition),
      [0, 1, 2, 3],
    );
    await handle.stop();
  },
);

const misplaced: Event = { at: 1_000, tenant: 'a', device: 'press-1', v: 1 };
const inAnother = (partitionOf(misplaced) + PARTITIONS / 2) % PARTITIONS;

async function withMisplaced(graph: JobGraph) {
  const bench = createJobBench();
  await feed(bench, 'feeder', [misplaced, { ...misplaced, device: 'press-2' }]);
  await bench.feed('events', Event, [misplaced, misplaced], {
    partitions: PARTITIONS,
    producer: 'foreign',
    partitionOf: () => inAnother,
  });
  return { bench, handle: bench.run(graph) };
}

await t.test('a record in another partition than its key’s fails the job by name (EG2)', async (t) => {
  const { handle } = await withMisplaced(job().graph({ parallelism: 2 }));
  t.equal(await handle.done, 'failed');
  t.match(handle.status().failures[0], { code: 'MR_KEY_MISPLACED', message: /tenant a, device press-1/ });
});

await t.test('… or goes to dead letters, and never makes a second owner of its key (EG2)', async (t) => {
  const { bench, handle } = await withMisplaced(job({ onError: 'dead-letter' }).graph({ parallelism: 2 }));
  await until(() => offsets(handle) === 4, 'all read');
  await handle.stop({ drain: true });
  t.same((await outcome(bench)).totals, ['a/press-1 2', 'a/press-2 2']);
  const letters = await bench.read(deadLetterTopic('per-device'), DeadLetter);
  t.same(
    letters.map(({ operator, reason }) => `${operator} ${reason}`).sort(),
    ['totals', 'totals', 'windows', 'windows'].map((operator) => `${operator} MR_KEY_MISPLACED`),
  );
});

await t.test('without partitionBy the same records find their key’s subtask by the exchange', async (t) => {
  const { bench, handle } = await withMisplaced(job({ exchanged: true }).graph({ parallelism: 2 }));
  await until(() => offsets(handle) === 4, 'all read');
  await handle.stop({ drain: true });
  t.same((await outcome(bench)).totals, ['a/press-1 2', 'a/press-1 4', 'a/press-1 6', 'a/press-2 2']);
});

await t.test('a source with another partitioner than its topic’s does not start', async (t) => {
  const bench = createJobBench();
  await bench.feed('events', Event, [misplaced], { partitions: PARTITIONS });
  const handle = bench.run(job().graph());
  t.equal(await handle.done, 'failed');
  t.match(handle.status().failures[0], { code: 'MR_LOG_TOPIC_MISMATCH' });
});
