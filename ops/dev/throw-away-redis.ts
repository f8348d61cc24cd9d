import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError, systemClock } from '#wire';
import { findRedisServer, REDIS_NEEDED } from '../setup/find-redis.mjs';
import { redisAddress, redisAnswers } from '../supervisor/redis-address.ts';
import { redisArguments } from '../supervisor/redis-arguments.ts';

/** A server that nobody else knows; what it holds is gone when it stops. */
export interface ThrowAwayRedis {
  readonly url: string;
  /** For people. */
  readonly name: string;
  readonly stop: () => Promise<void>;
}

const START_MS_MAX = 10_000;

/** Starts one in a temporary folder of its own, where nothing is written but its log. @throws MR_OPS_START */
export async function throwAwayRedis(): Promise<ThrowAwayRedis> {
  const server = findRedisServer();
  if (server === null)
    throw new MillraceError(
      'MR_OPS_START',
      `No ${REDIS_NEEDED} was found. Install one, e.g. "apt-get install redis-server", or name a running one: --redis redis://host:6379`,
    );
  const folder = await mkdtemp(join(tmpdir(), 'millrace-dev-'));
  const address = await redisAddress(folder);
  const args = [...redisArguments(address, folder), '--appendonly', 'no'];
  // A group of its own: Ctrl-C of the terminal is for the job, which needs its Redis to stop in order.
  const child = spawn(server.program, args, { detached: true, stdio: 'ignore' });
  const exited = once(child, 'exit').catch(() => {});
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    kill(); // there is nothing to save
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await redisAnswers(address, START_MS_MAX, systemClock, new AbortController().signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: address.url, name: `${server.product} ${server.version}`, stop };
}
