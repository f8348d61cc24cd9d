import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '#wire';
import { findRedisServer } from '../../../ops/setup/find-redis.mjs';
import { endLeftServer, redisAddress, redisAnswers } from '../../../ops/supervisor/redis-address.ts';
import { redisArguments } from '../../../ops/supervisor/redis-arguments.ts';

async function folder(t: Test, name: string): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'mr-address-'));
  t.teardown(() => rm(base, { recursive: true, force: true }));
  return join(base, name);
}

async function serve(t: Test, dir: string) {
  const address = await redisAddress(dir);
  const child = spawn(findRedisServer()?.program ?? 'redis-server', redisArguments(address, dir), {
    stdio: 'ignore',
  });
  const exit = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  await redisAnswers(address, 10_000, systemClock, new AbortController().signal);
  return { address, child, exit };
}

await t.test('a short folder gets a private socket, a long one a loopback port that stays', async (t) => {
  const short = await folder(t, 'redis');
  t.strictSame(await redisAddress(short), {
    url: join(short, 'redis.sock'),
    socket: join(short, 'redis.sock'),
    port: null,
  });
  const long = await folder(t, 'x'.repeat(100));
  const first = await redisAddress(long);
  t.match(first.url, /^redis:\/\/127\.0\.0\.1:\d+$/);
  t.strictSame(await redisAddress(long), first);
});

await t.test('a server left behind in the folder is ended before another starts there', async (t) => {
  for (const name of ['redis', 'x'.repeat(100)]) {
    const dir = await folder(t, name);
    const { address, child, exit } = await serve(t, dir);
    await endLeftServer(address, dir, 5_000, systemClock);
    await exit;
    t.equal(child.exitCode, 0, 'it ended in good order');
  }
});

await t.test('a server of somebody else is not touched', async (t) => {
  const { address, child } = await serve(t, await folder(t, 'theirs'));
  await endLeftServer(address, await folder(t, 'ours'), 500, systemClock);
  await redisAnswers(address, 1_000, systemClock, new AbortController().signal);
  t.equal(child.exitCode, null);
});
