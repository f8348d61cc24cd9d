import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const REDIS_NEEDED = 'Redis 7.0 or newer, or Valkey 8.0 or newer';

/** Where package managers put servers that are not always on PATH. */
const USUAL_FOLDERS = [
  '/usr/bin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/opt/valkey/bin',
  '/opt/homebrew/opt/redis/bin',
  '/home/linuxbrew/.linuxbrew/bin',
  '/opt/valkey/bin',
  '/opt/redis/bin',
  '/snap/bin',
];

/**
 * The first server that really runs and is new enough. A file alone proves nothing (it may be built for another
 * C library), so each candidate is executed with `--version`.
 */
export function findRedisServer(env = process.env) {
  const folders = [...new Set([...(env['PATH'] ?? '').split(delimiter), ...USUAL_FOLDERS])].filter(
    (f) => f !== '',
  );
  for (const name of ['valkey-server', 'redis-server']) {
    for (const folder of folders) {
      const program = join(folder, name);
      if (!existsSync(program)) continue;
      const server = serverVersion(program);
      if (server !== null && isSupported(server)) return { program, ...server };
    }
  }
  return null;
}

/** Reads e.g. `Valkey server v=8.0.1 sha=…` or `Redis server v=7.0.15 sha=…`; null when the program does not run. */
export function serverVersion(program) {
  const run = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 5_000 });
  const match = /^(Valkey|Redis) server v=(\d+\.\d+\.\d+)/.exec(run.stdout ?? '');
  if (run.status !== 0 || match === null) return null;
  return { product: match[1], version: match[2] };
}

export function isSupported({ product, version }) {
  return Number(version.split('.')[0]) >= (product === 'Valkey' ? 8 : 7);
}
