import t from 'tap';
import { hasCode } from '../../engine/base/errors.ts';
import type { RedisLink } from '../../engine/redis/redis-link.ts';
import { SimKernel } from './kernel.ts';
import { SimProcess } from './process.ts';
import { SimRedis } from './redis.ts';

const BOUNDS = { deadlineMs: 60_000, eventsMax: 100_000 };

interface World {
  readonly kernel: SimKernel;
  readonly redis: SimRedis;
  readonly client: SimProcess;
  readonly link: RedisLink;
}

/** Runs `main` in a simulated process with a link. */
async function withLink(main: (world: World) => Promise<void>, seed = 1): Promise<void> {
  const kernel = new SimKernel(seed);
  const redis = new SimRedis(kernel);
  const client = new SimProcess(kernel, 'client');
  const outcome = Promise.withResolvers<void>();
  client.start('main', async () => {
    const options = { url: 'simulated', name: 'test', clock: client.clock, unavailableMs: 2_000 };
    const link = await redis.opener(client)(options);
    await main({ kernel, redis, client, link }).then(outcome.resolve, outcome.reject);
    link.close();
  });
  await kernel.run(BOUNDS);
  await outcome.promise;
}

void t.test('RC2 a command whose reply is lost is carried out again, and the loss is counted', async (t) => {
  await withLink(async ({ redis, link }) => {
    redis.network.arm('client', 'reply-lost');
    t.equal(await link.call('INCR', 'n'), 2);
    t.equal(link.losses, 1);
    redis.network.arm('client', 'request-lost');
    t.equal(await link.call('INCR', 'n'), 3);
    t.equal(link.losses, 2);
  });
});

void t.test('CN2 a request that a stalled server held is carried out late, after newer ones', async (t) => {
  await withLink(async ({ redis, client, link }) => {
    redis.network.arm('client', 'late');
    t.equal(await link.call('SET', 'x', 'old'), 'OK');
    const replies = [await link.call('SET', 'x', 'new')];
    await client.clock.sleep(5_000);
    replies.push(await link.call('GET', 'x'));
    t.ok(link.losses === 1 && replies[0] === 'OK');
    t.ok(['old', 'new'].includes(String(replies[1])));
  });
});

void t.test('RC3 calls reach the server in their order, across losses', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    await withLink(async ({ kernel, redis, link }) => {
      kernel.schedule(1.5, null, 'drop', () => redis.dropLinks(null, { kind: 'lost' }));
      const calls = Array.from({ length: 20 }, (_, i) => link.call('RPUSH', 'list', i));
      await Promise.all(calls);
      const list = (await link.call('LRANGE', 'list', 0, -1)) as string[];
      const firsts = list.filter((item, i) => list.indexOf(item) === i);
      t.same(
        firsts,
        Array.from({ length: 20 }, (_, i) => String(i)),
        `seed ${seed}`,
      );
    }, seed);
  }
});

void t.test(
  'RC1 a call fails when nobody answers in time, and a new one works when the way is free again',
  async (t) => {
    await withLink(async ({ redis, client, link }) => {
      redis.network.cut('client', 4_000);
      const startedMs = client.clock.monotonic();
      const failure = await link.call('SET', 'a', '1').catch((error: unknown) => error);
      t.ok(hasCode(failure, 'MR_REDIS_UNAVAILABLE'));
      const waitedMs = client.clock.monotonic() - startedMs;
      t.ok(waitedMs >= 2_000 && waitedMs < 2_600, `${waitedMs} ms`);
      await client.clock.sleep(2_500);
      t.equal(await link.call('SET', 'b', '2'), 'OK');
    });
  },
);

void t.test(
  'SS1 what WAIT has confirmed survives a fail-over, what came after it is lost with the replica behind',
  async (t) => {
    await withLink(async ({ redis, client, link }) => {
      await link.call('SET', 'kept', '1');
      t.equal(await link.call('WAIT', 1, 1_000), 1);
      redis.lagReplica(10_000);
      await link.call('SET', 'lost', '1');
      t.equal(await link.call('WAIT', 1, 5), 0);
      const before = String(await link.call('INFO', 'replication'));
      redis.failOver(100, false);
      await client.clock.sleep(500);
      t.same(await link.call('MGET', 'kept', 'lost'), ['1', null]);
      t.not(String(await link.call('INFO', 'replication')), before, 'the history has another id');
    });
  },
);

void t.test('a demoted primary refuses writes until its clients find the new one', async (t) => {
  await withLink(async ({ redis, link }) => {
    redis.failOver(200, true);
    t.equal(await link.call('SET', 'a', '1'), 'OK', 'sent again until it was taken');
    t.ok(link.losses > 0);
    t.equal(redis.primary.model.execute(['GET', 'a'])?.toString(), '1');
  });
});

void t.test('a blocking read waits in virtual time for a write or its end', async (t) => {
  await withLink(async ({ kernel, redis, client, link }) => {
    const read = () => link.callBuffer('XREAD', 'BLOCK', 300, 'STREAMS', 's', '0-0');
    const startedMs = client.clock.monotonic();
    t.equal(await read(), null);
    const waitedMs = client.clock.monotonic() - startedMs;
    t.ok(waitedMs >= 300 && waitedMs < 310, `${waitedMs} ms`);
    kernel.schedule(50, null, 'write', () => void redis.primary.execute(['XADD', 's', '1-1', 'f', 'v']));
    t.ok(await read());
    t.ok(client.clock.monotonic() - startedMs < 370);
  });
});

void t.test('SR2 a loss of power gives back what was there so long before', async (t) => {
  await withLink(async ({ redis, client, link }) => {
    await link.call('SET', 'old', '1');
    await client.clock.sleep(1_000);
    await link.call('SET', 'new', '1');
    redis.restart(100, 500);
    await client.clock.sleep(1_000);
    t.same(await link.call('MGET', 'old', 'new'), ['1', null]);
  });
});
