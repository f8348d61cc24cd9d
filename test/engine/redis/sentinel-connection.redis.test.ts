import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { openDurability } from '../../../engine/redis/durability.ts';
import { ask } from '../../support/redis-cluster.ts';
import { type RedisSentinel, startRedisSentinel } from '../../support/redis-sentinel.ts';
import type { RedisServer } from '../../support/redis-server.ts';

const open = ({ url }: Pick<RedisSentinel, 'url'>, unavailableMs = 15_000) =>
  RedisConnection.open({ url, name: 'test', clock: systemClock, unavailableMs });

await t.test(
  'RC1 RC3 calls wait for a fail-over and go on in order; a confirmation is refused once',
  async (t) => {
    const sentinel = await startRedisSentinel({ replicas: 2 });
    t.teardown(() => sentinel.stop());
    const link = await open(sentinel);
    const confirm = await openDurability(link, 'durable', { durability: 'replicated' });
    await link.call('SET', 'k', 'before');
    await confirm();
    const killedAtMs = performance.now();
    await sentinel.primary.kill9();
    const calls = Array.from({ length: 50 }, (_, i) => link.call('SET', 'k', i));
    t.same(
      await Promise.all(calls),
      calls.map(() => 'OK'),
    );
    t.comment(
      `Sentinel (down after 500 ms): writes again ${Math.round(performance.now() - killedAtMs)} ms after SIGKILL`,
    );
    t.equal(await link.call('GET', 'k'), '49');
    t.not(await sentinel.primaryPort(), sentinel.primary.port);
    t.ok(link.losses > 0);
    await t.rejects(confirm(), { code: 'MR_CHECKPOINT_NOT_DURABLE', message: /restarted or replaced/ });
    await confirm();
    link.close();
  },
);

await t.test('RC2 a primary that is replaced while it lives is left at once', async (t) => {
  const sentinel = await startRedisSentinel({ sentinels: 3 });
  t.teardown(() => sentinel.stop());
  const link = await open(sentinel);
  let made = 0;
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      await Promise.all([1, 2, 3].map(() => link.call('SET', 'k', made++)));
      await systemClock.sleep(2);
    }
  })();
  await systemClock.sleep(100);
  const [first] = sentinel.sentinelSockets as readonly [string];
  const [replica] = sentinel.replicas as readonly [RedisServer];
  await ask({ url: first }, 'SENTINEL', 'FAILOVER', 'main');
  const commandedAtMs = performance.now();
  const madeThen = made;
  // A replica drops its clients when it is promoted.
  const looked = async () => (await isPrimary(replica)) && Number(await ask(replica, 'GET', 'k')) > madeThen;
  const hasMoved = () => looked().catch(() => false);
  while (!(await hasMoved()) && performance.now() < commandedAtMs + 8_000) await systemClock.sleep(20);
  t.ok(await hasMoved(), 'the new primary is written to');
  t.ok(await isPrimary(sentinel.primary), 'though the old one would still take writes');
  t.comment(
    `writes reach the new primary ${Math.round(performance.now() - commandedAtMs)} ms after SENTINEL FAILOVER`,
  );
  isOver = true;
  await writing;
  link.close();
});

async function isPrimary(server: RedisServer): Promise<boolean> {
  return String(await ask(server, 'INFO', 'replication')).includes('role:master');
}

await t.test('RC1 RC2 a primary that hangs is left when its replica has taken over', async (t) => {
  const sentinel = await startRedisSentinel();
  t.teardown(() => sentinel.stop());
  const link = await open(sentinel);
  await link.call('SET', 'k', 'before');
  process.kill(sentinel.primary.pid, 'SIGSTOP');
  const frozenAtMs = performance.now();
  await link.call('SET', 'k', 'after');
  const tookMs = Math.round(performance.now() - frozenAtMs);
  t.comment(`hanging primary (down after 500 ms): writes again ${tookMs} ms after SIGSTOP`);
  t.ok(tookMs < 9_000, 'sooner than by the timeout of the socket');
  t.equal(await ask(sentinel.replicas[0] as RedisServer, 'GET', 'k'), 'after');
  link.close();
});

await t.test('RC1 without sentinels, or without the master there, a call fails in time', async (t) => {
  await t.rejects(open({ url: 'redis+sentinel://127.0.0.1:1,127.0.0.1:2/main' }, 300), {
    code: 'MR_REDIS_UNAVAILABLE',
    message: /'main' of the sentinels 127\.0\.0\.1:1, 127\.0\.0\.1:2/,
  });
  const sentinel = await startRedisSentinel();
  t.teardown(() => sentinel.stop());
  await t.rejects(open({ url: sentinel.url.replace('/main', '/other') }, 300), {
    code: 'MR_REDIS_UNAVAILABLE',
    message: /'other'/,
  });
});
