import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { openDurability } from '../../../engine/redis/durability.ts';
import { keySlot } from '../../../engine/redis/key-slot.ts';
import { loadScript } from '../../../engine/redis/script.ts';
import { ask, startRedisCluster } from '../../support/redis-cluster.ts';
import type { RedisServer } from '../../support/redis-server.ts';

const pushScript = loadScript(new URL('./push-1.lua', import.meta.url));
const cluster = await startRedisCluster({ replicas: 1 });
t.teardown(() => cluster.stop());
const [first, second] = cluster.primaries as readonly [RedisServer, RedisServer, RedisServer];
const [[copyOfFirst], [copyOfSecond]] = cluster.replicas as unknown as [[RedisServer], [RedisServer]];

/** A key of the node that holds this slot. */
const keyNear = (slot: number) =>
  Array.from({ length: 1_000 }, (_, i) => `k${i}`).find(
    (key) => Math.abs(keySlot(key) - slot) < 1_000,
  ) as string;
const keyOfFirst = keyNear(2_000);
const keyOfSecond = keyNear(8_000);
const keyOfThird = keyNear(14_000);

await t.test(
  'RC3 RK1 a primary that hands over in good order: no call is lost, doubled or overtaken',
  async (t) => {
    const link = await RedisConnection.open({ url: cluster.url, name: 'test', clock: systemClock });
    let made = 0;
    let isOver = false;
    const pushing = (async () => {
      const answers: Promise<unknown>[] = [];
      while (!isOver) {
        for (let i = 0; i < 5; i++) answers.push(link.script(pushScript, [keyOfSecond], [made++]));
        await systemClock.sleep(1);
      }
      await Promise.all(answers);
    })();
    await ask(copyOfSecond, 'CLUSTER', 'FAILOVER');
    while (!String(await ask(second, 'INFO', 'replication')).includes('role:slave'))
      await systemClock.sleep(20);
    await systemClock.sleep(100);
    isOver = true;
    await pushing;
    t.same(
      await link.call('LRANGE', keyOfSecond, 0, -1),
      Array.from({ length: made }, (_, i) => String(i)),
    );
    t.comment(`${made} calls over the hand-over`);
    link.close();
  },
);

await t.test('RC1 RC2 RK2 a primary that hangs is left when its replica has taken over', async (t) => {
  await cluster.settled();
  const link = await RedisConnection.open({ url: cluster.url, name: 'test', clock: systemClock });
  const confirm = await openDurability(link, 'durable', { durability: 'replicated' });
  await link.call('SET', keyOfFirst, 'before');
  await confirm();
  process.kill(first.pid, 'SIGSTOP');
  const frozenAtMs = performance.now();
  const calls = Array.from({ length: 20 }, (_, i) => link.call('SET', keyOfFirst, i));
  t.equal(await link.call('SET', keyOfThird, 'x'), 'OK');
  t.ok(performance.now() - frozenAtMs < 500, 'other nodes go on meanwhile');
  await Promise.all(calls);
  const tookMs = Math.round(performance.now() - frozenAtMs);
  t.comment(`hanging primary (cluster-node-timeout 1 s): writes again ${tookMs} ms after SIGSTOP`);
  t.ok(tookMs < 9_000, 'sooner than by the timeout of the socket');
  t.equal(await ask(copyOfFirst, 'GET', keyOfFirst), '19');
  process.kill(first.pid, 'SIGCONT');
  await cluster.settled();
  await t.rejects(confirm(), { code: 'MR_CHECKPOINT_NOT_DURABLE', message: /restarted or replaced/ });
  await confirm();
  link.close();
});
