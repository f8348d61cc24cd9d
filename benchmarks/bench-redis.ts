import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RedisConnection, systemClock } from '#engine';
import { findRedisServer } from '../ops/setup/find-redis.mjs';

/** A private Redis for one run, without persistence, on a unix socket in `dir`. */
export interface BenchRedis {
  readonly url: string;
  /** CPU time the server has used, ms. */
  readonly cpuMs: () => number;
  readonly stop: () => Promise<void>;
}

export async function startBenchRedis(dir: string): Promise<BenchRedis> {
  const found = findRedisServer();
  if (found === null) throw new Error('No redis-server or valkey-server is installed.');
  const url = join(dir, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', url, '--dir', dir, '--save', '', '--appendonly', 'no'];
  const server = spawn(found.program, args, { stdio: 'ignore' });
  const connection = await RedisConnection.open({ url, name: 'bench', clock: systemClock });
  connection.close();
  return {
    url,
    cpuMs: () => cpuOf(server.pid as number),
    stop: () =>
      new Promise((resolve) => {
        server.once('exit', () => resolve());
        server.kill('SIGTERM');
      }),
  };
}

/** CPU time of the server at a URL, as it says itself, ms. */
export async function serverCpuMs(url: string): Promise<number> {
  const connection = await RedisConnection.open({ url, name: 'bench', clock: systemClock });
  const info = String(await connection.call('INFO', 'cpu'));
  connection.close();
  const seconds = (field: string) => Number(new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1_000;
}

/** User and system time of a process, from /proc: fields 14 and 15 of stat, in ticks of 10 ms. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
