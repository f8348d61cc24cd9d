import { Redis, type RedisOptions } from 'ioredis';
import { LIMITS } from '../base/limits.ts';
import { redisFailure } from './redis-error.ts';
import type { RedisArgument } from './redis-link.ts';
import type { RedisAddress, RedisNodes, RedisTarget } from './redis-url.ts';
import type { Script } from './script.ts';

/*
 * The settings of ioredis, and why.
 *
 * Its offline queue is off: it would keep frames without bound during an outage. Resending unanswered commands stays on, because without
 * it their promises never settle. Protocol 2 has the same reply shapes on every server. Its own Cluster class is not used: it queues per
 * node while a node is away, and commands of one key overtake each other when a slot moves.
 */
const ALWAYS = {
  lazyConnect: true,
  protocol: 2,
  maxRetriesPerRequest: null,
  enableOfflineQueue: false,
  enableReadyCheck: true,
  autoResendUnfulfilledCommands: true,
  connectTimeout: LIMITS.redisSocketTimeoutMs,
  socketTimeout: LIMITS.redisSocketTimeoutMs,
  disconnectTimeout: 200, // a server that hangs does not answer our goodbye
} as const satisfies RedisOptions;

/** A client of one server, or of the primary that Sentinel names; it connects again by itself, after `retryMs(attempt)`. */
export function lastingClient(
  target: Exclude<RedisTarget, { readonly kind: 'cluster' }>,
  name: string,
  retryMs: (attempt: number) => number,
): Redis {
  return clientOf(target, {
    ...ALWAYS,
    ...reconnecting(name, retryMs),
    sentinelCommandTimeout: LIMITS.redisSocketTimeoutMs,
  });
}

/** What has a client connect again by itself. */
export function reconnecting(connectionName: string, retryMs: (attempt: number) => number) {
  return {
    connectionName,
    retryStrategy: retryMs,
    // Without it, one round of unreachable sentinels ends the client for good.
    sentinelRetryStrategy: retryMs,
    // A demoted primary answers READONLY for ever; a new connection is resolved to the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
}

/** A client of one server, or of the primary that Sentinel names, with these options of ioredis. */
export function clientOf(
  target: Exclude<RedisTarget, { readonly kind: 'cluster' }>,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
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
        ...(target.sentinelPassword !== null && { sentinelPassword: target.sentinelPassword }),
        ...(target.tls && { sentinelTLS: {}, enableTLSForSentinelMode: true }),
      });
  }
}

/** A client of one node of a cluster, for one connection: once lost, it fails what is unanswered and ends. */
export function nodeClient(nodes: RedisNodes, { host, port }: RedisAddress, name: string): Redis {
  const retryStrategy = () => null;
  return new Redis({ ...ALWAYS, ...access(nodes), host, port, connectionName: name, retryStrategy });
}

/** A client of a sentinel itself; it connects again by itself and renews its subscriptions. */
export function sentinelClient(
  { sentinelPassword, tls }: Extract<RedisTarget, { readonly kind: 'sentinel' }>,
  { host, port }: RedisAddress,
  connectionName: string,
  retryStrategy: (attempt: number) => number,
): Redis {
  return new Redis({
    ...ALWAYS,
    ...access({ username: null, password: sentinelPassword, tls }),
    host,
    port,
    connectionName,
    retryStrategy,
    lazyConnect: false,
    enableOfflineQueue: true, // one subscription, made before the connection
  });
}

/** What sends a script: by its digest, and from when the server said that it does not know it, whole. */
export function scriptSender(
  script: Script,
  keys: readonly string[],
  args: readonly RedisArgument[],
): (client: Redis) => Promise<unknown> {
  let form: readonly [command: string, body: string] = ['EVALSHA', script.sha];
  return async (client) => {
    const [command, body] = form;
    try {
      return await client.call(command, [body, script.keyCount, ...keys, ...args]);
    } catch (error) {
      if (redisFailure(error) === 'noscript') form = ['EVAL', script.source];
      throw error;
    }
  };
}

export function access({
  username,
  password,
  tls,
}: Omit<RedisNodes, 'nodes'>): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    ...(tls && { tls: {} }),
  };
}
