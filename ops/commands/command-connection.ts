import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { access, backoffMs, clientOf, parseRedisUrl, reconnecting, systemRandom } from '#engine';

/** A client as BullMQ wants it: it queues while there is no connection, and a command waits as long as it takes. */
export type CommandClient = Redis | Cluster;

/** Opens a client of BullMQ's for any URL that the engine takes. It connects by itself; close it with `disconnect`. */
export function commandClient(url: string, name: string): CommandClient {
  const target = parseRedisUrl(url);
  const options = {
    ...reconnecting(name, retryMs),
    protocol: 2,
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_MS,
    failoverDetector: true,
  } as const satisfies RedisOptions;
  if (target.kind !== 'cluster') return clientOf(target, options);
  return new Cluster(
    target.nodes.map((address) => ({ ...address })),
    {
      clusterRetryStrategy: retryMs,
      slotsRefreshTimeout: CONNECT_MS,
      redisOptions: { ...options, ...access(target) },
    },
  );
}

const CONNECT_MS = 5_000;
const RETRY_MS_MAX = 2_000;

function retryMs(attempt: number): number {
  return backoffMs(attempt - 1, 50, RETRY_MS_MAX, systemRandom);
}
