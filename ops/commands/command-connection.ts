import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { backoffMs, parseRedisUrl, systemRandom } from '#engine';

/** A client as BullMQ wants it: it queues while there is no connection, and a command waits as long as it takes. */
export type CommandClient = Redis | Cluster;

/** Opens a client of BullMQ's for any URL that the engine takes. It connects by itself; close it with `disconnect`. */
export function commandClient(url: string, name: string): CommandClient {
  const target = parseRedisUrl(url);
  const options = {
    protocol: 2,
    maxRetriesPerRequest: null,
    connectionName: name,
    connectTimeout: CONNECT_MS,
    retryStrategy: retryMs,
    // A demoted primary answers READONLY for ever.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } as const satisfies RedisOptions;
  switch (target.kind) {
    case 'socket':
      return new Redis(target.path, options);
    case 'server':
      return new Redis(target.url, options);
    case 'sentinel':
      return new Redis({
        ...options,
        ...access(target),
        sentinels: target.nodes.map((address) => ({ ...address })),
        name: target.master,
        db: target.db,
        sentinelRetryStrategy: retryMs,
        failoverDetector: true,
        ...(target.sentinelPassword !== null && { sentinelPassword: target.sentinelPassword }),
        ...(target.tls && { sentinelTLS: {}, enableTLSForSentinelMode: true }),
      });
    case 'cluster':
      return new Cluster(
        target.nodes.map((address) => ({ ...address })),
        {
          clusterRetryStrategy: retryMs,
          slotsRefreshTimeout: CONNECT_MS,
          redisOptions: { ...options, ...access(target) },
        },
      );
  }
}

const CONNECT_MS = 5_000;
const RETRY_MS_MAX = 2_000;

function retryMs(attempt: number): number {
  return backoffMs(attempt - 1, 50, RETRY_MS_MAX, systemRandom);
}

function access({
  username,
  password,
  tls,
}: {
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    ...(tls && { tls: {} }),
  };
}
