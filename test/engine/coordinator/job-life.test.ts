import t from 'tap';
import {
  DeadLetter,
  deadLetterTopic,
  type Element,
  invariant,
  MAX_WATERMARK,
  MillraceError,
  seededRandom,
  type Source,
  systemClock,
} from '#engine';
import { count, defineJob, type JobSettings, partitionLog, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { createJobBench, until } from '../../support/job-bench.ts';
import { rowRecords } from '../../support/operator-bench.ts';

const Row = schema('row', { ts: eventTime(1), device: string(2), n: f64(3) });
type Row = Infer<typeof Row>;

const copying = (settings: Partial<JobSettings<'exactly-once'>> = {}, slowMs = 0) =>
  defineJob('copy', { guarantee: 'exactly-once', checkpointInterval: '1h', ...settings }, (job) =>
    job
      .source('in', partitionLog('in', Row))
      .asyncMap('wait', async (row) => {
        if (slowMs > 0) await systemClock.sleep(slowMs);
        return row;
      })
      .to('out', partitionLog('out', Row, { partitions: 1 })),
  ).graph();

const rows = (from: number, count_: number): Row[] =>
  Array.from({ length: count_ }, (_, i) => ({ ts: from + i, device: `d${i % 3}`, n: from + i }));
const numbers = (got: readonly Row[]) => got.map((row) => row.n).sort((a, b) => a - b);

/** A bounded source: each subtask gives its share in batches of ten, then the end of time and the end. */
function bounded(all: readonly Row[]): Source<Row> {
  return {
    kind: 'list',
    target: 'list',
    async open({ subtask, parallelism, restored }) {
      const mine = all.filter((_, i) => i % parallelism === subtask);
      const stored = restored as readonly { readonly subtask: number; readonly at: number }[];
      let at = stored.find((item) => item.subtask === subtask)?.at ?? 0;
      let rest: Element[] = [{ kind: 'watermark', time: MAX_WATERMARK }, { kind: 'end' }];
      return {
        poll() {
          const some = mine.slice(at, at + 10);
          at += some.length;
          if (some.length > 0)
            return {
              kind: 'records',
              records: rowRecords(
                some,
                some.map((row) => row.ts),
              ),
            };
          const [next, ...others] = rest;
          rest = others;
          return next ?? null;
        },
        snapshot: () => ({ items: [{ subtask, at }], positions: [] }),
        status: () => [],
        close: async () => {},
      };
    },
  };
}

for (const parallelism of [1, 3]) {
  void t.test(
    `the end of a bounded input fires what is open, takes a last checkpoint and finishes the job, parallelism ${parallelism}`,
    async (test) => {
      const bench = createJobBench();
      const random = seededRandom(5);
      const all = rows(0, 500).map((row) => ({ ...row, ts: Math.floor(random() * 10_000) }));
      const graph = defineJob(
        'bounded',
        { guarantee: 'exactly-once', parallelism, checkpointInterval: '100ms' },
        (job) => {
          job
            .source('list', bounded(all))
            .asyncMap(
              'wait',
              async (row) => {
                await systemClock.sleep(1);
                return row;
              },
              { concurrency: 20 },
            )
            .keyBy('device')
            .window(tumbling('1s'))
            .aggregate('windows', { n: count() })
            .map(({ key, window, value }): Row => ({ ts: window.start, device: key.device, n: value.n }))
            .to('out', partitionLog('out', Row, { partitions: 1 }));
        },
      ).graph();
      const handle = bench.run(graph);
      test.equal(await handle.done, 'finished');
      test.same(handle.status().failures, []);
      const out = await bench.read('out', Row);
      test.equal(
        out.reduce((n, row) => n + row.n, 0),
        500,
        'every row is in a window',
      );
      test.equal(new Set(out.map((row) => `${row.device}/${row.ts}`)).size, out.length, 'each window once');
      const again = bench.run(graph);
      test.equal(await again.done, 'finished');
      test.equal((await bench.read('out', Row)).length, out.length, 'run again, a finished job adds nothing');
    },
  );
}

void t.test('a changed checkpoint interval takes hold at once', async (test) => {
  const bench = createJobBench();
  await bench.feed('in', Row, rows(0, 10));
  const handle = bench.run(copying());
  await until(() => handle.status().state === 'running', 'running');
  for (const wrong of [99, 0, 1.5, Number.NaN, 86_400_001])
    test.throws(() => handle.setCheckpointInterval(wrong), { code: 'MR_CONFIG_INVALID' });
  await systemClock.sleep(150);
  test.equal(handle.status().checkpoints.completed, 0, 'the interval is an hour');
  let changes = 0;
  const unlisten = handle.onChange(() => changes++);
  handle.setCheckpointInterval(100);
  await until(() => handle.status().checkpoints.completed >= 2, 'two checkpoints', 2_000);
  test.equal(handle.status().checkpointIntervalMs, 100);
  test.ok(changes >= 2, 'listeners hear of checkpoints');
  unlisten();
  test.same(
    numbers(await bench.read('out', Row)),
    rows(0, 10).map((row) => row.n),
  );
  await handle.stop();
});

void t.test(
  'stop takes a last checkpoint: what was read is out, and the next run goes on behind it',
  async (test) => {
    const bench = createJobBench();
    await bench.feed('in', Row, rows(0, 30));
    const handle = bench.run(copying());
    await until(() => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0) === 30, 'all read');
    const id = await handle.stop();
    test.ok(id !== null && id > 0);
    test.equal(handle.status().state, 'stopped');
    test.same(
      numbers(await bench.read('out', Row)),
      rows(0, 30).map((row) => row.n),
    );
    test.equal(await handle.stop(), null, 'stopping again does nothing');
    await bench.feed('in', Row, rows(100, 5), { producer: 'second' });
    const next = bench.run(copying());
    await until(() => next.status().sources.reduce((n, s) => n + s.recordsRead, 0) === 5, 'the rest read');
    await next.stop({ savepoint: true });
    test.equal(next.status().checkpoints.restoredFrom, id);
    test.equal(next.status().checkpoints.history[0]?.kind, 'savepoint');
    test.equal((await bench.read('out', Row)).length, 35);
  },
);

void t.test(
  'stop leaves open calls in the checkpoint; they are called again and come out once',
  async (test) => {
    const bench = createJobBench();
    await bench.feed('in', Row, rows(0, 20));
    const handle = bench.run(copying({}, 500));
    await until(() => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0) === 20, 'all read');
    await handle.stop();
    test.same(await bench.read('out', Row), []);
    const next = bench.run(copying({ checkpointInterval: '100ms' }, 5));
    await until(async () => (await bench.read('out', Row)).length >= 20, 'all out');
    await next.stop();
    test.same(
      numbers(await bench.read('out', Row)),
      rows(0, 20).map((row) => row.n),
    );
  },
);

void t.test('a savepoint is taken while the job runs on, and only then', async (test) => {
  const bench = createJobBench();
  await bench.feed('in', Row, rows(0, 10));
  const handle = bench.run(copying());
  await until(() => handle.status().state === 'running', 'running');
  const id = await handle.savepoint();
  test.equal(handle.status().state, 'running');
  const [kept] = (await bench.environment.store.list('copy')).filter((manifest) => manifest.id === id);
  test.equal(kept?.kind, 'savepoint');
  await handle.cancel();
  test.equal(handle.status().state, 'cancelled');
  await test.rejects(handle.savepoint(), { code: 'MR_CHECKPOINT_FAILED' });
});

void t.test('a broken invariant fails the job, also where bad records go to dead letters', async (test) => {
  const bench = createJobBench();
  await bench.feed('in', Row, rows(0, 3));
  const graph = defineJob('broken', { guarantee: 'exactly-once', onError: 'dead-letter' }, (job) =>
    job
      .source('in', partitionLog('in', Row))
      .map((row) => {
        invariant(row.n !== 1, 'one');
        return row;
      })
      .to('out', partitionLog('out', Row, { partitions: 1 })),
  ).graph();
  const handle = bench.run(graph);
  test.equal(await handle.done, 'failed');
  test.match(handle.status().failures, [{ code: 'MR_INVARIANT' }]);
  test.same(await bench.read('out', Row), [], 'nothing of the failed attempt is visible');
});

void t.test('a service that is away sets no record aside: the attempt fails and comes back', async (test) => {
  const bench = createJobBench();
  await bench.feed('in', Row, rows(0, 5));
  let away = true;
  const graph = defineJob(
    'away',
    {
      guarantee: 'exactly-once',
      onError: 'dead-letter',
      checkpointInterval: '100ms',
      restart: { first: '10ms' },
    },
    (job) =>
      job
        .source('in', partitionLog('in', Row))
        .asyncMap('look-up', async (row) => {
          if (row.n === 2 && away) {
            away = false;
            throw new MillraceError('MR_REDIS_UNAVAILABLE', 'the registry does not answer');
          }
          return row;
        })
        .to('out', partitionLog('out', Row, { partitions: 1 })),
  ).graph();
  const handle = bench.run(graph);
  await until(async () => (await bench.read('out', Row)).length === 5, 'all through');
  await handle.stop();
  test.equal(handle.status().restarts, 1);
  test.match(handle.status().failures, [{ code: 'MR_REDIS_UNAVAILABLE', operator: 'look-up' }]);
  test.same(await bench.read(deadLetterTopic('away'), DeadLetter), []);
});

void t.test(
  'JR2 CQ2 AT3 PB1: savepoints asked for at once are taken one after another, each complete',
  async (test) => {
    const bench = createJobBench();
    await bench.feed('in', Row, rows(0, 10));
    const handle = bench.run(copying({ checkpointInterval: '100ms' }, 20));
    await until(() => handle.status().state === 'running', 'running');
    const ids = await Promise.all([handle.savepoint(), handle.savepoint(), handle.savepoint()]);
    test.same(
      ids,
      ids.toSorted((a, b) => a - b),
    );
    test.equal(new Set(ids).size, 3);
    const spans = handle
      .status()
      .checkpoints.history.map(
        ({ triggeredAt, durationMs }) => [triggeredAt, triggeredAt + durationMs] as const,
      );
    test.ok(
      spans.every(([start], i) => start >= (spans[i + 1]?.[1] ?? 0) - 2),
      'none began before the one before it ended',
    );
    await handle.cancel();
  },
);

void t.test(
  'AT3 JR1: a checkpoint that fails ends its attempt; the next is a generation higher and goes on',
  async (test) => {
    const bench = createJobBench();
    await bench.feed('in', Row, rows(0, 20));
    let failures = 2;
    const handle = bench.run(copying({ checkpointInterval: '100ms', restart: { first: '10ms' } }), {
      killPoint(name) {
        if (name === 'checkpoint:before-publish' && failures-- > 0) throw new Error('lost the server');
      },
    });
    await until(async () => (await bench.read('out', Row)).length >= 20, 'all out');
    const { generation, restarts, checkpoints, failures: noted } = handle.status();
    test.same([generation, restarts, checkpoints.failed], [3, 2, 2]);
    test.match(noted[0], { message: 'lost the server', generation: 2 });
    await handle.stop();
    test.same(
      numbers(await bench.read('out', Row)),
      rows(0, 20).map((row) => row.n),
      'each once',
    );
  },
);

void t.test('PB2: whoever waits for a checkpoint is told when its attempt ends', async (test) => {
  // Regression: a savepoint under way waited ten minutes for tasks that ran no more.
  const bench = createJobBench();
  await bench.feed('in', Row, rows(0, 10));
  const { log } = bench;
  const stuck = Promise.withResolvers<void>();
  const slow = new Proxy(log, {
    get: (target, name) => (name === 'stage' ? () => stuck.promise : bound(target, name)),
  });
  const handle = bench.run(copying(), { log: slow });
  await until(() => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0) === 10, 'all read');
  await systemClock.sleep(20);
  const savepoint = handle.savepoint();
  await systemClock.sleep(20);
  const told = test.rejects(savepoint, { code: 'MR_CHECKPOINT_FAILED' });
  const cancelled = handle.cancel();
  await told;
  stuck.resolve();
  await cancelled;
  const next = bench.run(copying());
  await until(() => next.status().state === 'running', 'running');
  const asked = next.savepoint();
  const refused = test.rejects(
    asked,
    { code: 'MR_CHECKPOINT_FAILED' },
    'also when the attempt ends before the barrier',
  );
  await next.cancel();
  await refused;
});

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
}
