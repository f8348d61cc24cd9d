import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { redisFailure } from '../../../engine/redis/redis-error.ts';
import { loadScript } from '../../../engine/redis/script.ts';
import { assertSupported } from '../../../engine/redis/server-facts.ts';
import { startRedis } from '../../support/redis-server.ts';

const options = (url: string, unavailableMs = 5_000) => ({
  url,
  name: 'test',
  clock: systemClock,
  unavailableMs,
});

/** Adds its second argument to a list and gives the length. */
const pushScript = loadScript(new URL('./push-1.lua', import.meta.url));

void t.test('it opens a supported server and knows what it is', async (t) => {
  const server = await startRedis({ tcp: true });
  for (const url of [server.url, `redis://127.0.0.1:${server.port}/0`]) {
    const connection = await RedisConnection.open(options(url));
    t.match(connection.server.version, /^\d+\.\d+\.\d+/);
    t.equal(await connection.call('SET', 'k', Buffer.from([0xff, 0x00])), 'OK');
    t.same(
      await connection.callBuffer('GET', 'k'),
      Buffer.from([0xff, 0x00]),
      'bytes come back as they were',
    );
    connection.close();
    await t.rejects(connection.call('GET', 'k'), { code: 'MR_REDIS_UNAVAILABLE' });
  }
  await server.stop();
});

void t.test(
  'OC3: what waits for a server that has gone is told at once when the connection is closed',
  async (t) => {
    const server = await startRedis({ tcp: true });
    const connection = await RedisConnection.open(options(server.url, 60_000));
    const blocked = connection.callBuffer('XREAD', 'BLOCK', 0, 'STREAMS', 'nothing', '$');
    const told = t.rejects(blocked, { code: 'MR_REDIS_UNAVAILABLE', message: /closed by us/ });
    await server.stop();
    await systemClock.sleep(300); // it tries to connect again
    connection.close();
    await told;
    await t.rejects(connection.call('GET', 'k'), { message: /closed by us/ });
  },
);

void t.test(
  'OC3: a connection that is closed while it is made again rejects nothing that nobody waits for',
  async (t) => {
    const server = await startRedis({ tcp: true });
    const connection = await RedisConnection.open(options(`redis://127.0.0.1:${server.port}/0`, 60_000));
    const blocked = connection.callBuffer('XREAD', 'BLOCK', 0, 'STREAMS', 'nothing', '$');
    await server.stop();
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(server.port as number, '127.0.0.1', resolve));
    while (sockets.length === 0) await systemClock.sleep(10);
    const held = connection.call('GET', 'k');
    connection.close();
    for (const call of [blocked, held]) await t.rejects(call, { message: /closed by us/ });
    for (const socket of sockets) socket.destroy();
    mute.close();
    await systemClock.sleep(50); // an unhandled rejection would end the process
  },
);

void t.test('too old a server is refused by name', async (t) => {
  const facts = (product: 'redis' | 'valkey', version: string) => ({ product, version, waitAof: false });
  for (const [product, version] of [
    ['redis', '6.2.14'],
    ['valkey', '7.2.5'],
  ] as const) {
    t.throws(() => assertSupported(facts(product, version)), {
      code: 'MR_REDIS_UNSUPPORTED',
      message: new RegExp(version),
    });
  }
  for (const [product, version] of [
    ['redis', '7.0.0'],
    ['redis', '8.2.1'],
    ['valkey', '8.0.1'],
    ['valkey', '10.0.0'],
  ] as const) {
    assertSupported(facts(product, version));
  }
});

void t.test(
  'RC1 without a server a call fails in time, and names the server but not its password',
  async (t) => {
    const nowhere = 'redis://user:secret@127.0.0.1:1';
    const began = performance.now();
    const failure: unknown = await RedisConnection.open(options(nowhere, 300)).catch(
      (error: unknown) => error,
    );
    t.match(failure, { code: 'MR_REDIS_UNAVAILABLE', message: /127\.0\.0\.1:1/ });
    t.notMatch((failure as Error).message, /secret/);
    t.ok(performance.now() - began < 2_000);
  },
);

void t.test('RC1 a server that accepts and says nothing does not hold a call for ever', async (t) => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket));
  const dir = await mkdtemp(join(tmpdir(), 'mr-mute-'));
  const path = join(dir, 'mute.sock');
  await new Promise<void>((resolve) => mute.listen(path, resolve));
  await t.rejects(RedisConnection.open(options(path, 300)), { code: 'MR_REDIS_UNAVAILABLE' });
  for (const socket of sockets) socket.destroy();
  mute.close();
  await rm(dir, { recursive: true });
});

void t.test('RC2 RC3 calls made while the server restarts wait for it, in order', async (t) => {
  const server = await startRedis({ appendonly: 'always' });
  const connection = await RedisConnection.open(options(server.url));
  await connection.call('SET', 'k', '0');
  await server.kill9();
  const calls = Array.from({ length: 20 }, (_, i) => connection.call('SET', 'k', String(i)));
  await systemClock.sleep(50);
  await server.restart();
  t.same(
    await Promise.all(calls),
    calls.map(() => 'OK'),
  );
  t.equal(await connection.call('GET', 'k'), '19');
  t.ok(connection.losses > 0);
  connection.close();
  await server.stop();
});

void t.test('a script is loaded when the server does not know it, also after a flush', async (t) => {
  const server = await startRedis();
  const connection = await RedisConnection.open(options(server.url));
  t.equal(await connection.script(pushScript, ['list'], ['a']), 1);
  t.equal(await connection.script(pushScript, ['list'], ['b']), 2);
  await connection.call('SCRIPT', 'FLUSH');
  t.equal(await connection.script(pushScript, ['list'], ['c']), 3);
  connection.close();
  await server.stop();
});

void t.test('what the server refuses is told from what it cannot do now', async (t) => {
  const server = await startRedis({ maxmemory: '3mb' });
  const connection = await RedisConnection.open(options(server.url));
  await connection.call('SET', 'text', 'x');
  const refused: unknown = await connection.call('LPUSH', 'text', 'x').catch((error: unknown) => error);
  t.match(refused, { code: 'MR_REDIS_UNAVAILABLE', message: /WRONGTYPE/ });
  t.equal(redisFailure(refused), 'refused');
  let memory: unknown = null;
  for (let i = 0; memory === null && i < 100; i++) {
    memory = await connection.call('SET', `k${i}`, 'x'.repeat(200_000)).then(
      () => null,
      (error: unknown) => error,
    );
  }
  t.equal(redisFailure(memory), 'memory');
  connection.close();
  await server.stop();
});

void t.test('RC1 a call of a frozen server fails in time, and the next works when it thaws', async (t) => {
  const server = await startRedis();
  const connection = await RedisConnection.open(options(server.url, 300));
  process.kill(server.pid, 'SIGSTOP');
  await t.rejects(connection.call('PING'), { code: 'MR_REDIS_UNAVAILABLE' });
  process.kill(server.pid, 'SIGCONT');
  t.equal(await connection.call('PING'), 'PONG');
  connection.close();
  await server.stop();
});

void t.test('a loss of the connection is counted, and nothing else', async (t) => {
  const server = await startRedis();
  const connection = await RedisConnection.open(options(server.url));
  const admin = new Redis(server.url);
  t.equal(connection.losses, 0);
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  t.equal(await connection.call('PING'), 'PONG');
  t.equal(connection.losses, 1);
  admin.disconnect();
  connection.close();
  await server.stop();
});
