import fc from 'fast-check';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { openDurability } from '../../../engine/redis/durability.ts';
import { commandKey } from '../../../engine/redis/command-key.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { keySlot } from '../../../engine/redis/key-slot.ts';
import { redisFailure } from '../../../engine/redis/redis-error.ts';
import type { RedisArgument } from '../../../engine/redis/redis-link.ts';
import { loadScript } from '../../../engine/redis/script.ts';
import { ask, startRedisCluster } from '../../support/redis-cluster.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { replyTree } from '../../support/resp.ts';

const cluster = await startRedisCluster();
t.teardown(() => cluster.stop());
const [first, second] = cluster.primaries as readonly [RedisServer, RedisServer, RedisServer];

const open = (url = cluster.url, unavailableMs = 10_000) =>
  RedisConnection.open({ url, name: 'test', clock: systemClock, unavailableMs });

const pushScript = loadScript(new URL('./push-1.lua', import.meta.url));
const pushBothScript = loadScript(new URL('./push-2.lua', import.meta.url));

await t.test('a link is found by any one node, and reaches all', async (t) => {
  for (const { port } of cluster.primaries) {
    const link = await open(`redis+cluster://127.0.0.1:${port}`);
    const keys = Array.from({ length: 50 }, (_, i) => `one ${i}`);
    await Promise.all(keys.map((key) => link.call('SET', key, key)));
    t.same(await Promise.all(keys.map((key) => link.call('GET', key))), keys);
    t.match(link.server.version, /^\d+\.\d+\.\d+/);
    t.equal(link.losses, 0);
    t.equal(await link.call('PING'), 'PONG', 'a command without a key goes somewhere');
    t.same(await link.callBuffer('GET', 'one 1'), Buffer.from('one 1'));
    link.close();
    await t.rejects(link.call('GET', 'one 1'), { code: 'MR_REDIS_UNAVAILABLE', message: /closed by us/ });
  }
  const sizes = await Promise.all(cluster.primaries.map((server) => ask(server, 'DBSIZE')));
  t.ok(
    sizes.every((size) => Number(size) > 5),
    `keys per node: ${sizes.join(', ')}`,
  );
});

await t.test(
  'a script is loaded on each node that does not know it, and keeps the order of its calls',
  async (t) => {
    const link = await open();
    const keys = Array.from({ length: 30 }, (_, i) => `script ${i % 10}`);
    await Promise.all(keys.map((key, i) => link.script(pushScript, [key], [i])));
    for (let i = 0; i < 10; i++)
      t.same(await link.call('LRANGE', `script ${i}`, 0, -1), [i, i + 10, i + 20].map(String), 'RC3');
    const across: unknown = await link
      .script(pushBothScript, ['a', 'b'], [1])
      .catch((error: unknown) => error);
    t.equal(redisFailure(across), 'refused', 'keys of two slots do not meet');
    link.close();
  },
);

await t.test('slots and keys of commands are those that servers see', async (t) => {
  const link = await open();
  const key = fc.string({ unit: fc.constantFrom('{', '}', 'a', 'b', 'ü', ':'), maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(key, async (of) => Number(await link.call('CLUSTER', 'KEYSLOT', of)) === keySlot(of)),
    { numRuns: 100 },
  );
  const commands: readonly (readonly [string, ...RedisArgument[]])[] = [
    ['GET', 'k'],
    ['HMGET', 'k', 'f'],
    ['xread', 'COUNT', 1, 'BLOCK', 5, 'STREAMS', 'k', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'],
    ['XINFO', 'STREAM', 'k'],
    ['XGROUP', 'CREATE', 'k', 'g', '0'],
    ['EVAL', 'return 1', 1, 'k'],
    ['EVALSHA', 'abc', 1, 'k'],
    ['OBJECT', 'ENCODING', 'k'],
    ['MEMORY', 'USAGE', 'k'],
    ['BITOP', 'NOT', 'k', 'k'],
  ];
  for (const [command, ...args] of commands) {
    const [seen] = (await link.call('COMMAND', 'GETKEYS', command, ...args)) as readonly string[];
    t.equal(commandKey(command, args), seen, command);
  }
  for (const command of ['PING', 'INFO', 'WAIT']) t.equal(commandKey(command, [1, 2]), null);
  link.close();
});

await t.test('what is of another layout is told so', async (t) => {
  const single = await startRedis({ tcp: true });
  t.teardown(() => single.stop());
  await t.rejects(open(`redis+cluster://127.0.0.1:${single.port}`), {
    code: 'MR_CONFIG_INVALID',
    message: /no node of a cluster/,
  });
  const alone = await open(`redis://127.0.0.1:${first.port}`);
  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map((key) => alone.call('GET', key).catch((error: unknown) => error)),
  );
  t.match(
    answers.find((answer) => answer !== null),
    { message: /redis\+cluster:/ },
  );
  alone.close();
  await t.rejects(open('redis+cluster://127.0.0.1:1', 300), {
    code: 'MR_REDIS_UNAVAILABLE',
    message: /127\.0\.0\.1:1/,
  });
});

await t.test('KM1 a node that is cut off and believes an old map does not keep us there', async (t) => {
  const old = await startRedisCluster();
  t.teardown(() => old.stop());
  const [cutOff, ...gone] = old.primaries as readonly [RedisServer, ...RedisServer[]];
  await Promise.all(gone.map((server) => server.kill9()));
  const link = await open(`redis+cluster://127.0.0.1:${cutOff.port},127.0.0.1:${first.port}`);
  await link.call('SET', 'k', 'here');
  const values = await Promise.all(
    cluster.primaries.map((server) => ask(server, 'GET', 'k').catch(() => null)),
  );
  t.same(
    values.filter((value) => value !== null),
    ['here'],
  );
  link.close();
});

/** Moves a slot between two nodes, key by key, as redis-cli --cluster reshard does. */
async function moveSlot(slot: number, from: RedisServer, to: RedisServer, pauseMs: number): Promise<void> {
  const [fromId, toId] = await Promise.all([from, to].map((server) => ask(server, 'CLUSTER', 'MYID')));
  await ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(fromId));
  await ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(toId));
  for (const key of (await ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as readonly string[]) {
    await systemClock.sleep(pauseMs);
    await ask(from, 'MIGRATE', '127.0.0.1', to.port as number, key, 0, 5_000);
  }
  await systemClock.sleep(pauseMs);
  for (const server of [to, from]) await ask(server, 'CLUSTER', 'SETSLOT', slot, 'NODE', String(toId));
}

await t.test(
  'RC3 RK1 RK3 while a slot moves to another node, calls follow it in order, each once',
  async (t) => {
    const link = await open();
    // Slots of the first node, which moves one of them away and back.
    const tag = Array.from({ length: 100 }, (_, i) => `${i}`).find((it) => keySlot(it) < 5_000) as string;
    const keys = [`{${tag}}a`, `{${tag}}b`];
    let made = 0;
    let isMoving = true;
    const pushing = (async () => {
      const answers: Promise<unknown>[] = [];
      while (isMoving) {
        for (let i = 0; i < 20; i++) answers.push(link.script(pushBothScript, keys, [made++]));
        await systemClock.sleep(1);
      }
      return await Promise.all(answers);
    })();
    await systemClock.sleep(50);
    await moveSlot(keySlot(tag), first, second, 30);
    await systemClock.sleep(50);
    await moveSlot(keySlot(tag), second, first, 30);
    isMoving = false;
    await pushing;
    const inOrder = Array.from({ length: made }, (_, i) => String(i));
    for (const key of keys) t.same(await link.call('LRANGE', key, 0, -1), inOrder);
    t.ok(made > 1_000, `${made} calls`);
    t.ok(link.losses >= 2, 'that it moved is counted');
    link.close();
  },
);

await t.test('RK1 a call for the reply as it came follows a slot that has moved', async (t) => {
  const link = await open();
  const tag = Array.from({ length: 100 }, (_, i) => `raw ${i}`).find((it) => keySlot(it) < 5_000) as string;
  await link.call('XADD', tag, '1-0', 'n', 'one');
  await moveSlot(keySlot(tag), first, second, 0);
  const reply = await link.callRaw('XREAD', 'STREAMS', tag, '0-0');
  const entry = [Buffer.from('1-0'), [Buffer.from('n'), Buffer.from('one')]];
  t.same(reply === null ? null : replyTree(reply), [[Buffer.from(tag), [entry]]]);
  t.equal(await link.callRaw('XREAD', 'STREAMS', tag, '1-0'), null);
  await moveSlot(keySlot(tag), second, first, 0);
  link.close();
});

await t.test(
  'a confirmation speaks for every node, and is refused once when one was restarted',
  async (t) => {
    const link = await open();
    const confirm = await openDurability(link, 'durable', { durability: 'replicated', replicas: 0 });
    await confirm();
    for (const server of cluster.primaries)
      t.equal(
        Number(await ask(server, 'EXISTS', ...(await markKeys(server)))),
        1,
        'each node was written to',
      );
    await second.kill9();
    await second.restart();
    await cluster.settled();
    await t.rejects(confirm(), { code: 'MR_CHECKPOINT_NOT_DURABLE', message: /restarted or replaced/ });
    await confirm();
    link.close();
  },
);

async function markKeys(server: RedisServer): Promise<readonly string[]> {
  return (await ask(server, 'KEYS', 'durable:*')) as readonly string[];
}

await t.test(
  'RC1 KM2 the keys of a node that is gone are unavailable in time, and back when it is',
  async (t) => {
    const link = await open(cluster.url, 500);
    const key = Array.from({ length: 100 }, (_, i) => `gone ${i}`).find(
      (it) => keySlot(it) < 5_000,
    ) as string;
    await link.call('SET', key, 'x');
    await first.kill9();
    const readBefore = await mapReadings();
    const began = performance.now();
    await t.rejects(link.call('GET', key), { code: 'MR_REDIS_UNAVAILABLE' });
    t.ok(performance.now() - began < 1_500);
    const readings = (await mapReadings()) - readBefore;
    t.ok(readings >= 1 && readings <= 8, `the map was read ${readings} times in half a second`);
    await first.restart();
    await cluster.settled();
    t.equal(await link.call('GET', key), null, 'it kept nothing');
    link.close();
  },
);

/** How often the other nodes were asked for their map. */
async function mapReadings(): Promise<number> {
  const texts = await Promise.all(
    cluster.primaries.slice(1).map((server) => ask(server, 'INFO', 'commandstats')),
  );
  const counts = texts.map((text) =>
    Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(String(text))?.[1] ?? 0),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
