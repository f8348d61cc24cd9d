import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/redis-server.ts';
import { type ChaosServers, USUAL } from './chaos-servers.ts';
import { DataServer, eventually } from './data-server.ts';

const DISK_MB = 512;

/**
 * One server on a small disk of its own, where the system lets one be mounted (Linux, as root). With `appendfsync always`, which
 * durability `disk` needs where there is no WAITAOF, a server that cannot write its log ends itself; with `everysec` it refuses writes.
 */
export async function startDiskServer(
  name: 'disk' | 'process',
  host: string,
  folder: string,
): Promise<ChaosServers> {
  const dir = join(folder, 'disk');
  const mounted = mount(dir);
  const server = new DataServer({
    host,
    port: await freePort(),
    dir: join(dir, 'redis'),
    settings: { ...USUAL, appendfsync: name === 'disk' ? 'always' : 'everysec' },
  });
  await server.start();
  const filler = join(dir, 'filler');
  return {
    name,
    url: `redis://${host}:${server.port}`,
    durability: name,
    all: [server],
    primaries: async () => [server],
    settled: () =>
      eventually('the server answers', 30_000, async () => (await server.replication()) && true).then(
        () => undefined,
      ),
    replaced: async () => {},
    rejoin: () => server.start(),
    failOver: null,
    disk:
      mounted === null
        ? { fill: () => fill(filler), free: () => rmSync(filler, { force: true }) }
        : { none: mounted },
    async stop() {
      await server.kill();
      if (mounted === null) unmount(dir);
    },
  };
}

/** Null when it has worked, else why not. */
function mount(dir: string): string | null {
  mkdirSync(dir, { recursive: true });
  try {
    const args = ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'millrace-chaos', dir];
    execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    process.once('exit', () => unmount(dir));
    return null;
  } catch (error) {
    return `mount -t tmpfs: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

/** Also while somebody still has files there open, and when it is done already. */
function unmount(dir: string): void {
  try {
    execFileSync('umount', ['--lazy', dir], { stdio: 'ignore' });
  } catch {
    // it is not mounted
  }
}

/** Until there is no room left. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let chunk = 1024 * 1024; chunk >= 1; chunk >>= 4) {
      try {
        for (;;) writeSync(file, Buffer.alloc(chunk));
      } catch {
        // a smaller piece may fit
      }
    }
  } finally {
    closeSync(file);
  }
}
