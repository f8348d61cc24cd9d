import { Redis } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../engine/base/clock.ts';
import { heldForwardersKey } from '../../engine/redis/keys.ts';
import { openHeldForwarders } from '../../ops/held-forwarders.ts';
import { startRedis } from '../support/redis-server.ts';

await t.test(
  'those that have said lately that they are held are read, by topic; the silent are not (E11)',
  async (t) => {
    const server = await startRedis();
    const redis = new Redis(server.url);
    const held = await openHeldForwarders({ url: server.url, namespace: 'n', clock: systemClock });
    t.teardown(async () => {
      redis.disconnect();
      await held.close();
      await server.stop();
    });
    const facts = { partitions: [2], pendingRecords: 9, pendingBytes: 99, oldestMs: null, inputHeld: false };
    const [seconds] = await redis.time();
    const now = Number(seconds) * 1_000;
    const tell = (topic: string, producer: string, at: number) =>
      redis.hset(heldForwardersKey('n', topic), producer, JSON.stringify({ ...facts, at, heldMs: 4_000 }));
    t.same(await held.read(['a', 'b']), []);
    await tell('a', 'gw-1', now);
    await tell('a', 'gw-2', now - 60_000);
    await tell('b', 'gw-1', now - 5_000);
    t.same(await held.read(['a']), [{ topic: 'a', producer: 'gw-1', ...facts, at: now, since: now - 4_000 }]);
    t.equal((await held.read(['a', 'b'])).length, 2);
    const many = redis.pipeline();
    for (let i = 0; i < 3_000; i++)
      many.hset(heldForwardersKey('n', 'c'), `gw-${i}`, JSON.stringify({ ...facts, at: now, heldMs: 1 }));
    await many.exec();
    t.equal((await held.read(['c'])).length, 1_000, 'enough to know that the topic is full');
  },
);
