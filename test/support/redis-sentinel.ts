import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './redis-cluster.ts';
import { freePort, launch, type RedisServer, serverProgram, startRedis } from './redis-server.ts';

/** A primary, its replicas and sentinels of one test, on loopback ports. */
export interface RedisSentinel {
  /** As RedisConnection takes it. */
  readonly url: string;
  /** As it was at the start. */
  readonly primary: RedisServer;
  readonly replicas: readonly RedisServer[];
  readonly sentinelPids: readonly number[];
  /** Unix sockets of the sentinels. */
  readonly sentinelSockets: readonly string[];
  /** Port of the primary that the first sentinel names now. */
  readonly primaryPort: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

export interface RedisSentinelOptions {
  /** Default 1. */
  readonly replicas?: number;
  /** Default 1; a majority of them decides. */
  readonly sentinels?: number;
}

const MASTER = 'main';

/** Starts all of it and resolves when a fail-over is possible. A primary that does not answer for half a second is replaced. */
export async function startRedisSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const { replicas: replicaCount = 1, sentinels: sentinelCount = 1 } = options;
  const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
  const primary = await startRedis({ tcp: true, args });
  const following = [...args, '--replicaof', '127.0.0.1', String(primary.port)];
  const replicas = await Promise.all(
    Array.from({ length: replicaCount }, () => startRedis({ tcp: true, args: following })),
  );
  const sentinels = await Promise.all(
    Array.from({ length: sentinelCount }, () => startSentinel(primary, (sentinelCount >> 1) + 1)),
  );
  const [first] = sentinels as [Sentinel];
  await until('the sentinels know each other and the replicas', async () => {
    const views = await Promise.all(sentinels.map(({ socket }) => masterFacts(socket)));
    return views.every(
      (view) =>
        view.get('num-slaves') === String(replicaCount) &&
        view.get('num-other-sentinels') === String(sentinelCount - 1),
    );
  });
  await until('the replicas are in step', async () => {
    const views = await Promise.all(replicas.map((replica) => ask(replica, 'INFO', 'replication')));
    return views.every((view) => String(view).includes('master_link_status:up'));
  });
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`,
    primary,
    replicas,
    sentinelPids: sentinels.map(({ process }) => process.pid as number),
    sentinelSockets: sentinels.map(({ socket }) => socket),
    async primaryPort() {
      const address = await ask({ url: first.socket }, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER);
      return Number((address as readonly [host: string, port: string])[1]);
    },
    async stop() {
      await Promise.all(sentinels.map(stopSentinel));
      await Promise.all([primary, ...replicas].map((server) => server.kill9()));
      await Promise.all([primary, ...replicas].map((server) => server.stop()));
    },
  };
}

interface Sentinel {
  readonly process: ChildProcess;
  readonly port: number;
  readonly socket: string;
  readonly dir: string;
}

async function startSentinel(primary: RedisServer, quorum: number): Promise<Sentinel> {
  const dir = await mkdtemp(join(tmpdir(), 'mr-sentinel-'));
  const port = await freePort();
  const socket = join(dir, 'sentinel.sock');
  const config = join(dir, 'sentinel.conf'); // sentinels write to it
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `unixsocket ${socket}`,
    `dir ${dir}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${primary.port} ${quorum}`,
    `sentinel down-after-milliseconds ${MASTER} 500`,
    `sentinel failover-timeout ${MASTER} 2000`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  return { process: await launch(serverProgram(), [config, '--sentinel'], socket), port, socket, dir };
}

async function stopSentinel({ process, dir }: Sentinel): Promise<void> {
  if (process.exitCode === null && process.signalCode === null) {
    const exited = once(process, 'exit');
    process.kill('SIGKILL');
    await exited;
  }
  await rm(dir, { recursive: true, force: true });
}

async function masterFacts(socket: string): Promise<ReadonlyMap<string, string>> {
  const flat = (await ask({ url: socket }, 'SENTINEL', 'MASTER', MASTER)) as readonly string[];
  return new Map(
    Array.from({ length: flat.length / 2 }, (_, i) => [String(flat[2 * i]), String(flat[2 * i + 1])]),
  );
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 15 s: ${what}`);
    await sleep(25);
  }
}
