import { join } from 'node:path';
import type { RedisAddress } from './redis-address.ts';

/** Command line of the private server: every write in the append-only file, flushed each second; never an eviction, never a snapshot. */
export function redisArguments({ socket, port }: RedisAddress, folder: string): readonly string[] {
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port ?? 0),
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    loglevel: 'notice',
    logfile: join(folder, 'redis.log'),
    daemonize: 'no',
  };
  if (socket !== null) Object.assign(settings, { unixsocket: socket, unixsocketperm: '700' });
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}
