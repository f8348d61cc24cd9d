import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { keepRegistered } from '../../../engine/cluster/keep-registered.ts';
import { type WorkerDescription, WorkerRegistry } from '../../../engine/cluster/worker-registry.ts';
import { workerKeys } from '../../../engine/redis/keys.ts';
import {
  clusterHarness,
  contextOf,
  type Fault,
  faultyLink,
  lateCopies,
  repeated,
} from './cluster-harness.ts';

const { open } = await clusterHarness(t);
const link = await open();

/** A registry of its own namespace, so that tests do not see each other's workers. */
const registryOf = (namespace: string, expiryMs = 5_000, through = link) =>
  new WorkerRegistry({ ...contextOf(through), namespace }, { expiryMs });

const worker = (id: string, slots = 4): WorkerDescription => ({
  id,
  host: 'host',
  pid: 1,
  slots,
  startedAt: 1,
  version: '0.1.0',
  labels: { zone: 'a' },
});
const idle = { used: 0, draining: false };

void t.test('workers register, tell their load, and go', async (t) => {
  const registry = registryOf('life');
  t.same(await registry.list(), []);
  t.equal(await registry.register(worker('b')), 'registered');
  t.equal(await registry.register(worker('a'), { used: 1, draining: false }), 'registered');
  t.equal(await registry.heartbeat('b', { used: 3, draining: true }), true);
  const [a, b, ...more] = await registry.list();
  t.same(more, []);
  t.match(a, { ...worker('a'), used: 1, draining: false });
  t.match(b, { ...worker('b'), used: 3, draining: true });
  t.ok(b !== undefined && b.expiresInMs > 4_000 && b.expiresInMs <= 5_000);
  await registry.deregister('b');
  t.same(
    (await registry.list()).map(({ id }) => id),
    ['a'],
  );
});

void t.test('WR1 WR3 who is silent for too long is not listed, and leaves nothing', async (t) => {
  const registry = registryOf('silence', 600);
  await registry.register(worker('quiet'));
  await registry.register(worker('loud'));
  for (let i = 0; i < 4; i++) {
    await systemClock.sleep(200);
    t.equal(await registry.heartbeat('loud', idle), true);
  }
  const keys = workerKeys('silence');
  t.equal(await link.call('HEXISTS', keys.info, 'quiet'), 1, 'nobody has listed yet');
  t.same(
    (await registry.list()).map(({ id }) => id),
    ['loud'],
  );
  for (const key of [keys.info, keys.load]) t.same(await link.call('HKEYS', key), ['loud']);
  t.same(await link.call('ZRANGE', keys.alive, 0, -1), ['loud']);
});

void t.test(
  'WR3 a process that ends is given up before its time, one that is only silent is not',
  async (t) => {
    const registry = registryOf('ended');
    const [frozen, killed] = [await open(), await open()];
    await registryOf('ended', 5_000, frozen).register(worker('frozen'));
    await registryOf('ended', 5_000, killed).register(worker('killed'));
    killed.close();
    t.equal((await registry.list()).length, 2, 'not silent for long');
    await systemClock.sleep(LIMITS.linkAbsentMs);
    t.same(
      (await registry.list()).map(({ id }) => id),
      ['frozen'],
    );
    t.equal(await registry.heartbeat('killed', idle), false);
    t.equal(await registry.heartbeat('frozen', idle), true);
  },
);

void t.test('WR2 who was given up comes back only under a new id, listed meanwhile or not', async (t) => {
  const registry = registryOf('again', 100);
  for (const listed of [false, true]) {
    const id = `w-${listed}`;
    await registry.register(worker(id));
    await systemClock.sleep(120);
    if (listed) await registry.list();
    t.equal(await registry.heartbeat(id, idle), false);
    t.equal(await registry.register(worker(id)), 'gone');
    t.equal(await registry.register(worker(`${id}-2`)), 'registered');
  }
});

void t.test('WR2 repeated and late calls change nothing', async (t) => {
  const { fault, replay } = lateCopies();
  const registry = registryOf('repeats', 5_000, faultyLink(faultyLink(link, fault), repeated));
  t.equal(await registry.register(worker('a')), 'registered');
  t.equal(await registry.heartbeat('a', { used: 2, draining: false }), true);
  t.equal((await registry.list()).length, 1);
  await registry.deregister('a');
  await replay();
  t.same(await registry.list(), [], 'a late registration does not bring it back');
});

void t.test('ids that were given up are remembered for a time, not for ever', async (t) => {
  const registry = registryOf('memory');
  const keys = workerKeys('memory');
  await registry.register(worker('old'));
  await registry.deregister('old');
  const seconds = Number(((await link.call('TIME')) as [string, string])[0]);
  await link.call('ZADD', keys.gone, seconds * 1000 - LIMITS.workersGoneMs - 1_000, 'old');
  await registry.list();
  t.equal(await link.call('ZCARD', keys.gone), 0);
});

void t.test('there are not more workers than the bound, and the dead make room', async (t) => {
  const living = registryOf('crowd', 60_000);
  await Promise.all(Array.from({ length: LIMITS.workersMax }, (_, i) => living.register(worker(`w${i}`))));
  await t.rejects(living.register(worker('more')), { code: 'MR_CONFIG_INVALID', message: /4096 workers/ });
  t.equal(await living.register(worker('w0')), 'registered', 'who is there may repeat it');
  await link.call('ZADD', workerKeys('crowd').alive, 1, 'w7'); // its time is up
  t.equal(await living.register(worker('more')), 'registered');
});

void t.test('only usable descriptions are taken', async (t) => {
  const registry = registryOf('descriptions');
  const wrong = [
    worker('no:id'),
    worker('w', 0),
    worker('w', 1.5),
    worker('w', 1_025),
    { ...worker('w'), labels: { note: 'x'.repeat(5_000) } },
  ];
  for (const one of wrong) await t.rejects(registry.register(one), { code: 'MR_CONFIG_INVALID' });
});

void t.test('KR1 heartbeats keep a worker, with its load as it is, until it leaves', async (t) => {
  const registry = registryOf('kept', 1_000);
  let used = 0;
  await registry.register(worker('w'));
  const keeper = keepRegistered(registry, {
    clock: systemClock,
    id: 'w',
    load: () => ({ used, draining: false }),
    lost: () => t.fail('it was not given up'),
    heartbeatMs: 50,
  });
  for (used = 1; used <= 5; used++) {
    await systemClock.sleep(250);
    t.equal((await registry.list())[0]?.used, used);
  }
  used = 9;
  keeper.beat();
  keeper.beat();
  await systemClock.sleep(20);
  t.equal((await registry.list())[0]?.used, 9, 'a changed load need not wait');
  await keeper.leave();
  t.same(await registry.list(), []);
});

void t.test('KR1 failures do not end heartbeats; being given up does, once', async (t) => {
  let failing = true;
  let calls = 0;
  const fault: Fault = async (send) => {
    calls++;
    if (failing) throw new Error('no answer');
    return send();
  };
  const steady = registryOf('given-up', 200);
  const shaky = registryOf('given-up', 200, faultyLink(link, fault));
  await steady.register(worker('w'));
  let losses = 0;
  keepRegistered(shaky, {
    clock: systemClock,
    id: 'w',
    load: () => idle,
    lost: () => void losses++,
    heartbeatMs: 20,
  });
  await systemClock.sleep(300);
  t.ok(calls > 5);
  t.equal(losses, 0);
  t.same(await steady.list(), [], 'others have given it up');
  failing = false;
  await systemClock.sleep(100);
  t.equal(losses, 1);
  const after = calls;
  await systemClock.sleep(60);
  t.equal(calls, after, 'and no more heartbeats');
});
