import t from 'tap';
import { type CheckpointStore, type JobHandle, MillraceError } from '#engine';
import { defineJob, defineOperator, type JobSettings, partitionLog, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { hostInThisThread, type OpenHosts } from '../../../engine/coordinator/open-hosts.ts';
import type { HostHandle } from '../../../engine/host/host-protocol.ts';
import { type CoordinatorBench, createCoordinatorBench } from '../../support/coordinator-bench.ts';
import { otherwise } from '../../support/local-exchange.ts';

const Row = schema('failing-row', { ts: eventTime(1), key: string(2), n: f64(3) });
type Row = Infer<typeof Row>;

const counting = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Row>(),
  output: type<Row>(),
  state: { seen: valueState<number>() },
  onRecord(row, { state, emit }) {
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    emit({ ...row, n: seen });
  },
});

const graphOf = (settings: Partial<JobSettings<'exactly-once'>>) =>
  defineJob(
    'failing',
    { guarantee: 'exactly-once', checkpointInterval: '1s', restart: { first: '10ms' }, ...settings },
    (job) =>
      job
        .source('in', partitionLog('in', Row))
        .keyBy('key')
        .process('count', counting)
        .to('out', partitionLog('out', Row, { partitions: 1 })),
  ).graph();

let fed = 0;
async function feed(bench: CoordinatorBench): Promise<void> {
  const rows = Array.from({ length: 10 }, (_, i): Row => ({ ts: i, key: 'k', n: 0 }));
  await bench.feed('in', Row, rows, { partitions: 1, producer: `feeder-${fed++}` });
  await bench.pass();
}
const given = async (bench: CoordinatorBench) =>
  (await bench.read('out', Row)).map(({ n }) => n).sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const declined = () => new MillraceError('MR_CHECKPOINT_FAILED', 'declined');

/** Its nth checkpoint, from 1 on, is answered as told. */
function answering(
  bench: CoordinatorBench,
  answer: (
    n: number,
    take: () => ReturnType<HostHandle['checkpoint']>,
  ) => ReturnType<HostHandle['checkpoint']>,
): OpenHosts {
  const inner = hostInThisThread(bench.environment.store);
  let n = 0;
  return async (plan, environment) =>
    (await inner(plan, environment)).map((host) =>
      otherwise(host, { checkpoint: (id) => answer(++n, () => host.checkpoint(id)) }),
    );
}

const figures = (handle: JobHandle) => {
  const { restarts, checkpoints } = handle.status();
  return [restarts, checkpoints.completed, checkpoints.failed];
};

for (const when of ['before it began', 'after all was staged'] as const) {
  void t.test(
    `E7 TH1 TH2 PB2 PB3 KC1: two failures in a row are tolerated, a success starts over, the third in a row restarts; declined ${when}, nothing is lost or doubled`,
    async (test) => {
      const bench = createCoordinatorBench();
      await feed(bench);
      const fails = [1, 2, 4, 5, 6];
      const openHosts = answering(bench, async (n, take) => {
        if (!fails.includes(n)) return take();
        if (when === 'after all was staged') await take();
        throw declined();
      });
      const handle = await bench.running(graphOf({ checkpointFailuresTolerable: 2 }), { openHosts });
      const seen: unknown[] = [];
      for (let round = 1; round <= 6; round++) {
        await feed(bench);
        await bench.pass(1_000);
        seen.push([...figures(handle), (await given(bench)).length]);
      }
      test.same(seen, [
        [0, 0, 1, 0],
        [0, 0, 2, 0],
        [0, 1, 2, 40],
        [0, 1, 3, 40],
        [0, 1, 4, 40],
        [1, 1, 5, 40],
      ]);
      await bench.pass(10);
      await feed(bench);
      await bench.pass(1_000);
      test.same(await given(bench), upTo(80), 'what was staged for them came with the next one');
      await handle.stop();
    },
  );
}

void t.test(
  'E7 E9: output of given up checkpoints that a published one names is committed by whoever comes after a crash',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    const openHosts = answering(bench, async (n, take) => {
      const acknowledgement = await take();
      if (n <= 2) throw declined();
      return acknowledgement;
    });
    const held = Promise.withResolvers<never>();
    let isHeld = false;
    const killPoint = (name: string) => {
      if (name !== 'checkpoint:after-publish') return;
      isHeld = true;
      return held.promise;
    };
    const handle = await bench.running(graphOf({ checkpointFailuresTolerable: 2 }), { openHosts, killPoint });
    for (let round = 0; round < 3; round++) {
      await feed(bench);
      await bench.pass(1_000);
    }
    test.ok(isHeld);
    test.same([...figures(handle), await given(bench)], [0, 0, 2, []]);
    const [manifest] = (await bench.environment.store.list('failing')).slice(-1);
    test.same(
      manifest?.sinks.filter(({ operator }) => operator === 'out').map(({ seq }) => seq),
      [2, 3, 4],
    );
    const next = await bench.running(graphOf({}));
    test.same(await given(bench), upTo(40));
    await next.stop();
  },
);

void t.test(
  'E7: one that is not acknowledged in time is given up, and its late answer counts for nothing',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    const late = Promise.withResolvers<void>();
    const openHosts = answering(bench, async (n, take) => {
      const acknowledgement = await take();
      if (n === 1) await late.promise;
      return acknowledgement;
    });
    const handle = await bench.running(graphOf({ checkpointTimeout: '5s', checkpointFailuresTolerable: 1 }), {
      openHosts,
    });
    await bench.pass(1_000);
    await bench.pass(5_000);
    test.match(handle.status().checkpoints.history, [
      { outcome: 'completed' },
      { outcome: 'failed', failure: /within 5000 ms/ },
    ]);
    late.resolve();
    await bench.pass();
    test.same(figures(handle), [0, 1, 1], 'the next began at once: it was due');
    test.same(await given(bench), upTo(10));
    await handle.stop();
  },
);

void t.test(
  'E7 CQ1: the least pause counts from the end of a checkpoint; a shorter interval takes hold at once',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    const slow = { release: () => {} };
    const openHosts = answering(bench, async (n, take) => {
      if (n === 1) await new Promise<void>((resolve) => (slow.release = resolve));
      return take();
    });
    const handle = await bench.running(graphOf({ checkpointMinPause: '3s' }), { openHosts });
    await bench.pass(1_000);
    await bench.pass(4_000);
    slow.release();
    await bench.pass();
    test.same(figures(handle), [0, 1, 0]);
    await bench.pass(2_999);
    test.same(figures(handle), [0, 1, 0]);
    await bench.pass(1);
    test.same(figures(handle), [0, 2, 0]);
    await handle.cancel();

    const other = await bench.running(graphOf({ checkpointInterval: '1h' }));
    await bench.pass(1_000);
    other.setCheckpointInterval(1_500);
    await bench.pass(499);
    test.same(figures(other), [0, 0, 0]);
    await bench.pass(1);
    test.same(figures(other), [0, 1, 0]);
    await other.cancel();
  },
);

/** The bench's store with one method answered otherwise. */
function storeWith(bench: CoordinatorBench, changes: Partial<CheckpointStore>): CheckpointStore {
  return new Proxy(bench.environment.store, {
    get(target, name) {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

void t.test(
  'AT5 CQ3: an attempt whose manifest names a blob that is not stored ends, tolerant or not',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    let left = 1;
    const { store } = bench.environment;
    const losing = storeWith(bench, {
      publish: async (ownership, manifest, retain) => {
        if (manifest.id > 1 && left-- > 0) {
          const [first] = manifest.snapshots;
          if (first === undefined) throw new Error('no snapshot');
          const gone = {
            ...first.head,
            pieces: first.head.pieces.map((piece) => ({
              ...piece,
              blob: { ...piece.blob, key: piece.blob.key.replace(/[^:]+$/, 'gone') },
            })),
          };
          return store.publish(
            ownership,
            { ...manifest, snapshots: [{ ...first, head: gone }, ...manifest.snapshots.slice(1)] },
            retain,
          );
        }
        return store.publish(ownership, manifest, retain);
      },
    });
    const handle = await bench.running(graphOf({ checkpointFailuresTolerable: 9 }), { store: losing });
    await bench.pass(1_000);
    await bench.pass(10);
    test.match(handle.status(), { restarts: 1, failures: [{ message: /not stored/ }] });
    await bench.pass(1_000);
    test.same(await given(bench), upTo(10));
    await handle.stop();
  },
);

void t.test('TH4, Regression: a sink that cannot stage ends the attempt, however tolerant', async (test) => {
  const bench = createCoordinatorBench();
  await feed(bench);
  let left = 1;
  const { log } = bench;
  const full = new Proxy(log, {
    get(target, name) {
      if (name === 'stage' && left > 0)
        return () => {
          left--;
          return Promise.reject(new MillraceError('MR_REDIS_UNAVAILABLE', 'away'));
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
  const handle = await bench.running(graphOf({ checkpointFailuresTolerable: 9 }), { log: full });
  await bench.pass(1_000);
  await bench.pass(10);
  test.equal(handle.status().restarts, 1);
  test.match(handle.status().failures, [{ code: 'MR_REDIS_UNAVAILABLE' }]);
  await bench.pass(1_000);
  test.same(await given(bench), upTo(10));
  await handle.stop();
});

void t.test(
  'E7: a checkpoint is complete when it is committed, whether or not the log could be trimmed',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    let left = 1;
    const away = storeWith(bench, {
      collect: (job) => {
        if (left-- > 0) return Promise.reject(new MillraceError('MR_REDIS_UNAVAILABLE', 'away'));
        return bench.environment.store.collect(job);
      },
    });
    const handle = await bench.running(graphOf({}), { store: away });
    const id = handle.savepoint();
    await bench.pass();
    test.ok((await id) > 0, 'Regression: a savepoint that is there was called failed');
    await bench.pass(1_000);
    test.same(figures(handle), [0, 2, 0]);
    await handle.stop();
  },
);

void t.test(
  'TH3: snapshots of a checkpoint are stored after those of the one before, also of one given up',
  async (test) => {
    const bench = createCoordinatorBench();
    await feed(bench);
    const { store } = bench.environment;
    const stuck = Promise.withResolvers<void>();
    const begun: number[] = [];
    const slow = storeWith(bench, {
      writeBlob: async (ownership, checkpoint, name, bytes) => {
        begun.push(checkpoint);
        if (checkpoint === 2) await stuck.promise;
        return store.writeBlob(ownership, checkpoint, name, bytes);
      },
    });
    const settings = { checkpointTimeout: '5s', checkpointFailuresTolerable: 1 } as const;
    const handle = await bench.running(graphOf(settings), { store: slow });
    await bench.pass(1_000);
    await bench.pass(5_000);
    test.same(figures(handle), [0, 0, 1]);
    test.notOk(begun.includes(3), 'the next waits for what is still being written');
    stuck.resolve();
    await bench.pass();
    test.ok(begun.includes(3));
    test.same(figures(handle), [0, 1, 1]);
    test.same(await given(bench), upTo(10));
    await handle.stop();
  },
);

void t.test('AT4: nothing is processed before all hosts are open', async (test) => {
  const bench = createCoordinatorBench();
  await feed(bench);
  const open = Promise.withResolvers<void>();
  let seen = 0;
  const graph = defineJob('waiting', { guarantee: 'exactly-once' }, (job) =>
    job
      .source('in', partitionLog('in', Row))
      .filter(() => ++seen > 0)
      .to('out', partitionLog('out', Row, { partitions: 1 })),
  ).graph();
  const killPoint = (name: string) => (name === 'restore:opened' ? open.promise : undefined);
  const handle = bench.run(graph, { killPoint });
  await bench.pass(1_000);
  test.equal(seen, 0);
  open.resolve();
  await bench.passUntil(() => seen === 10, 'all are processed');
  await handle.stop();
});
