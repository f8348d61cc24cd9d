import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';

export interface RedisClusterOptions {
  /** Default 3, which is the least that can vote. Slots are spread evenly. */
  readonly primaries?: number;
  /** Replicas of each primary. Default 0. */
  readonly replicas?: number;
}

/** A real cluster of one test on loopback ports. */
export interface RedisCluster {
  /** As RedisConnection takes it. */
  readonly url: string;
  /** Primaries as they were at the start, in order of their slots. */
  readonly primaries: readonly RedisServer[];
  /** Replicas as they were at the start: `replicas[i]` are those of `primaries[i]`. */
  readonly replicas: readonly (readonly RedisServer[])[];
  /** Resolves when every running node sees every slot held by a node that answers, and every replica in step. */
  readonly settled: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts a cluster and resolves when it serves. A node that does not answer for a second is replaced by its replica. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { primaries: count = 3, replicas: copies = 0 } = options;
  const nodes = await Promise.all(Array.from({ length: count * (1 + copies) }, startNode));
  const primaries = nodes.slice(0, count);
  const replicas = primaries.map((_, i) => nodes.slice(count + i * copies, count + (i + 1) * copies));
  const stop = async () => {
    await Promise.all(nodes.map(({ server }) => server.kill9()));
    await Promise.all(nodes.map(({ server }) => server.stop()));
  };
  try {
    await formCluster(primaries, nodes);
    await Promise.all(
      primaries.flatMap((primary, i) => (replicas[i] ?? []).map((replica) => replicate(replica, primary))),
    );
    await allSettled(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `redis+cluster://${nodes.map(({ server }) => `127.0.0.1:${server.port}`).join(',')}`,
    primaries: primaries.map(({ server }) => server),
    replicas: replicas.map((some) => some.map(({ server }) => server)),
    settled: () => allSettled(nodes),
    stop,
  };
}

/** Calls one command on one server. */
export async function ask(
  server: Pick<RedisServer, 'url'>,
  command: string,
  ...args: (string | number)[]
): Promise<unknown> {
  const client = new Redis(server.url, { protocol: 2, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    return await client.call(command, args);
  } finally {
    client.disconnect();
  }
}

interface Node {
  readonly server: RedisServer;
  readonly busPort: number;
}

async function startNode(): Promise<Node> {
  const busPort = await freePort();
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-port': String(busPort), // the port + 10000 otherwise, which may not exist
    'cluster-node-timeout': '1000',
    'cluster-replica-validity-factor': '0',
    'cluster-allow-replica-migration': 'no',
    'repl-diskless-sync-delay': '0',
    'repl-ping-replica-period': '1',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return { server: await startRedis({ tcp: true, args }), busPort };
}

async function formCluster(primaries: readonly Node[], nodes: readonly Node[]): Promise<void> {
  const [first, ...others] = nodes as readonly [Node, ...Node[]];
  await Promise.all(
    primaries.map(({ server }, i) => {
      const at = (share: number) => Math.round((share * 16_384) / primaries.length);
      return ask(server, 'CLUSTER', 'ADDSLOTSRANGE', at(i), at(i + 1) - 1);
    }),
  );
  await Promise.all(nodes.map(({ server }, i) => ask(server, 'CLUSTER', 'SET-CONFIG-EPOCH', i + 1)));
  for (const { server, busPort } of others)
    await ask(first.server, 'CLUSTER', 'MEET', '127.0.0.1', server.port as number, busPort);
  await until('all nodes know each other', async () => {
    const views = await Promise.all(nodes.map(({ server }) => ask(server, 'CLUSTER', 'INFO')));
    return views.every((view) => String(view).includes(`cluster_known_nodes:${nodes.length}\r\n`));
  });
}

async function replicate(replica: Node, primary: Node): Promise<void> {
  const id = String(await ask(primary.server, 'CLUSTER', 'MYID'));
  await until('the replica knows its primary', () =>
    ask(replica.server, 'CLUSTER', 'REPLICATE', id).then(
      () => true,
      () => false,
    ),
  );
}

async function allSettled(nodes: readonly Node[]): Promise<void> {
  await until('the cluster serves', async () => {
    const views = await Promise.all(nodes.map(({ server }) => view(server).catch(() => null)));
    return views.every((text) => text === null || /cluster_state:ok/.test(text)) && views.every(isInStep);
  });
}

async function view(server: RedisServer): Promise<string> {
  return `${String(await ask(server, 'CLUSTER', 'INFO'))}${String(await ask(server, 'INFO', 'replication'))}`;
}

function isInStep(text: string | null): boolean {
  return text === null || /role:master/.test(text) || /master_link_status:up/.test(text);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 15 s: ${what}`);
    await sleep(25);
  }
}
