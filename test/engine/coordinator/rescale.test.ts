import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { type JobHandle, MillraceError } from '#engine';
import {
  defineBroadcastOperator,
  defineJob,
  type JobSettings,
  mapState,
  partitionLog,
  type,
  valueState,
} from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { checkpointId } from '../../../engine/base/brand.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { OpenHosts } from '../../../engine/coordinator/open-hosts.ts';
import { hostInThisThread } from '../../../engine/coordinator/open-hosts.ts';
import { otherwise } from '../../support/local-exchange.ts';
import { type CoordinatorBench, createCoordinatorBench } from '../../support/coordinator-bench.ts';

const Row = schema('rescale-row', { ts: eventTime(1), key: string(2), n: f64(3) });
type Row = Infer<typeof Row>;
const Rule = schema('rescale-rule', { ts: eventTime(1), factor: f64(2) });
type Rule = Infer<typeof Rule>;
const KEYS = 11;

/** Counts per key, times the factor that was broadcast; a timer tells the count once more at the end. */
const scaled = defineBroadcastOperator({
  key: type<{ readonly key: string }>(),
  input: type<Row>(),
  broadcast: type<Rule>(),
  output: type<Row>(),
  state: { seen: valueState<number>() },
  broadcastState: { rules: mapState<string, number>() },
  onRecord(row, { broadcast, state, timers, emit }) {
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    if (seen === 1) timers.at(1_000_000);
    emit({ ...row, n: seen * (broadcast.rules.get('factor') ?? 1) });
  },
  onTimer(ts, { key, state, emit }) {
    emit({ ts, key: key.key, n: -(state.seen.get() ?? 0) });
  },
  onBroadcast: (rule, { broadcast }) => broadcast.rules.set('factor', rule.factor),
});

const graphOf = (settings: Partial<JobSettings<'exactly-once'>> = {}) =>
  defineJob(
    'rescaled',
    {
      guarantee: 'exactly-once',
      checkpointInterval: '1h',
      maxParallelism: 16,
      interpreted: true,
      ...settings,
    },
    (job) => {
      const rules = job.source('rules', partitionLog('rules', Rule), { idleAfter: '10ms' });
      job
        .source('in', partitionLog('in', Row), { idleAfter: '10ms' })
        .asyncMap('wait', async (row) => (await setImmediate(), row), { concurrency: 4 })
        .keyBy('key')
        .connect(rules.broadcast())
        .process('scaled', scaled)
        .to('out', partitionLog('out', Row, { partitions: 2 }));
    },
  ).graph();

const chunk = (from: number, rows: number): Row[] =>
  Array.from({ length: rows }, (_, i) => ({ ts: from + i, key: `k${(from + i) % KEYS}`, n: 0 }));

async function feed(bench: CoordinatorBench, from: number, rows: number): Promise<void> {
  const partitionOf = (row: Row) => Number(row.key.slice(1)) % 3;
  await bench.feed('in', Row, chunk(from, rows), { partitions: 3, partitionOf, producer: `from-${from}` });
}

async function open(): Promise<CoordinatorBench> {
  const bench = createCoordinatorBench();
  await bench.feed('rules', Rule, [{ ts: 1, factor: 1_000 }], { partitions: 1 });
  await feed(bench, 0, 0);
  return bench;
}

const read = (handle: JobHandle) =>
  handle.status().sources.reduce((sum, { topic, offset }) => sum + (topic === 'in' ? offset : 0), 0);
/** Read, and through what takes time. */
async function allRead(bench: CoordinatorBench, handle: JobHandle, rows: number): Promise<void> {
  await bench.passUntil(() => read(handle) === rows, `${rows} read`);
  await bench.pass(10);
}

/** `rows` records, each counted once, whoever held their keys; `ended`: and the timers. */
function expected(rows: number, ended: boolean): string[] {
  const counts = chunk(0, rows).map(({ key }, i) => `${key}:${(Math.floor(i / KEYS) + 1) * 1_000}`);
  const keys = Array.from({ length: KEYS }, (_, k) => `k${k}:${-Math.ceil((rows - k) / KEYS)}`);
  return [...counts, ...(ended ? keys : [])].sort();
}
const given = async (bench: CoordinatorBench) =>
  (await bench.read('out', Row)).map(({ key, n }) => `${key}:${n}`).sort();

async function rescale(bench: CoordinatorBench, handle: JobHandle, parallelism: number) {
  const entry = handle.rescale(parallelism);
  await bench.pass();
  await bench.passUntil(() => handle.status().state === 'running', 'it runs again');
  return entry;
}

/** In this thread; `fails` says which attempts fail, at once. */
function failing(bench: CoordinatorBench, fails: (parallelism: number) => boolean): OpenHosts {
  const inner = hostInThisThread(bench.environment.store);
  return (plan, environment) => {
    if (fails(plan.deployment.parallelism))
      return Promise.reject(new MillraceError('MR_SLOTS_SHORT', 'too few slots'));
    return inner(plan, environment);
  };
}

void t.test(
  'E8 E10 JR3: rescaled 1 → 4 → 2 → 3, with an interval of an hour, state, timers, broadcast state and calls under way go on',
  async (test) => {
    const bench = await open();
    const handle = await bench.running(graphOf());
    await bench.pass(20);
    let rows = 0;
    for (const parallelism of [4, 2, 3]) {
      await feed(bench, rows, 40);
      rows += 40;
      // Calls may be under way: what they are about is in the checkpoint.
      if (parallelism !== 2) await allRead(bench, handle, rows);
      test.match(await rescale(bench, handle, parallelism), {
        to: parallelism,
        outcome: 'completed',
        failure: null,
      });
      test.equal(handle.status().parallelism, parallelism);
    }
    await allRead(bench, handle, rows);
    const stopping = handle.stop({ drain: true });
    await bench.passUntil(() => handle.status().state === 'stopped', 'it has drained');
    test.ok(((await stopping) ?? 0) > 0);
    test.same(await given(bench), expected(rows, true));
    test.same(handle.status().failures, []);
  },
);

void t.test(
  'E10: an attempt that fails at once, or completes no checkpoint in time, is rolled back',
  async (test) => {
    const bench = await open();
    await feed(bench, 0, 30);
    const fails = { at: 4 };
    const handle = await bench.running(graphOf(), {
      openHosts: failing(bench, (parallelism) => parallelism === fails.at),
    });
    await allRead(bench, handle, 30);
    test.match(await rescale(bench, handle, 4), {
      from: 1,
      to: 4,
      outcome: 'rolled-back',
      failure: 'too few slots',
    });
    test.equal(handle.status().parallelism, 1);
    test.equal(handle.status().restarts, 0, 'it is no failure of the job');
    await handle.cancel();

    const inner = hostInThisThread(bench.environment.store);
    const never = Promise.withResolvers<never>();
    const silent: OpenHosts = async (plan, environment) => {
      const hosts = await inner(plan, environment);
      if (plan.deployment.parallelism === 1) return hosts;
      return hosts.map((host) => otherwise(host, { checkpoint: () => never.promise }));
    };
    const next = await bench.running(graphOf(), { openHosts: silent });
    const asked = next.rescale(3);
    await bench.passUntil(() => next.status().parallelism === 3 && next.status().state === 'running', 'at 3');
    await bench.pass(LIMITS.rescaleHealthMs - 500);
    test.equal(next.status().parallelism, 3, 'it has a minute');
    await bench.pass(600);
    test.match(await asked, { outcome: 'rolled-back', failure: /No checkpoint was completed/ });
    await bench.passUntil(() => next.status().state === 'running', 'back');
    test.equal(next.status().parallelism, 1);
    test.match(await rescale(bench, next, 1), { outcome: 'completed' }, 'another one may follow');
    await next.stop();
    test.same(await given(bench), expected(30, false));
  },
);

void t.test(
  'JR2 JR3: a second rescaling is refused; one during a checkpoint waits; a stop or cancel during one ends it',
  async (test) => {
    const bench = await open();
    await feed(bench, 0, 30);
    const handle = await bench.running(graphOf());
    await allRead(bench, handle, 30);
    const savepoint = handle.savepoint();
    const first = handle.rescale(2);
    await test.rejects(handle.rescale(3), { code: 'MR_API_CONFLICT' });
    await test.rejects(handle.rescale(17), { code: 'MR_CONFIG_INVALID' }, 'more than there are key groups');
    await bench.passUntil(() => handle.status().rescales.length === 1, 'rescaled');
    test.ok((await savepoint) < (handle.status().checkpoints.restoredFrom ?? 0));
    test.match(await first, { outcome: 'completed' });

    const interrupted = handle.rescale(3);
    const [stopped, again] = [handle.stop({ savepoint: true }), handle.stop()];
    await bench.passUntil(() => handle.status().state === 'stopped', 'stopped');
    test.match(await interrupted, { outcome: 'failed', failure: /stopping/ });
    test.ok(((await stopped) ?? 0) > 0, 'Regression: the stop had no last checkpoint');
    test.equal(await again, await stopped, 'Regression: a second stop aborted the first');
    test.same(await given(bench), expected(30, false));

    const other = await bench.running(graphOf({ parallelism: 2 }));
    const cut = other.rescale(1);
    await other.cancel();
    test.match(await cut, { outcome: 'failed' });
    test.equal(await other.stop(), null);
    test.equal(other.status().state, 'cancelled');
  },
);

void t.test(
  'Regression, JR3: a rescaling goes on when the old attempt fails while it stops',
  async (test) => {
    const bench = await open();
    await feed(bench, 0, 30);
    const inner = hostInThisThread(bench.environment.store);
    const lost = new MillraceError('MR_HOST_LOST', 'gone while it stopped');
    const fragile: OpenHosts = async (plan, environment) => {
      const hosts = await inner(plan, environment);
      if (plan.deployment.parallelism !== 1) return hosts;
      return hosts.map((host) =>
        otherwise(host, {
          run: async () => {
            await host.run();
            throw lost;
          },
        }),
      );
    };
    const handle = await bench.running(graphOf(), { openHosts: fragile });
    await allRead(bench, handle, 30);
    test.match(await rescale(bench, handle, 2), { outcome: 'completed' });
    test.match(handle.status().failures, [{ code: 'MR_HOST_LOST' }]);
    await handle.stop();
    test.same(await given(bench), expected(30, false));
  },
);

void t.test('E8: a savepoint from before a rescaling is restored at another parallelism', async (test) => {
  const bench = await open();
  await feed(bench, 0, 30);
  const handle = await bench.running(graphOf());
  await allRead(bench, handle, 30);
  const id = await handle.savepoint();
  await rescale(bench, handle, 4);
  await handle.cancel();
  const fork = { ...graphOf({ parallelism: 3 }), name: 'forked' };
  const restoreFrom = { job: 'rescaled', checkpoint: checkpointId(id), asOf: 0 };
  const forked = await bench.running(fork, { restoreFrom });
  await feed(bench, 30, 30);
  await allRead(bench, forked, 60);
  await forked.stop();
  const twice = expected(60, false).filter((text) => !expected(30, false).includes(text));
  test.same(await given(bench), [...expected(30, false), ...twice].sort());
});
