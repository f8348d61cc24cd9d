import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { RespReply } from './resp-scanner.ts';
import type { Script } from './script.ts';
import type { ServerFacts } from './server-facts.ts';

/**
 * What the engine asks of a connection to Redis. RedisConnection keeps it for a real server (RC1 to RC4), the simulation for its model.
 * Commands and scripts sent through it may reach the server more than once, so each is idempotent.
 */
export interface RedisLink {
  /** Of its connections, in CLIENT LIST; no other link in any process has the same. */
  readonly name: string;
  /** The server at the time of opening. */
  readonly server: ServerFacts;
  /** How often the connection was lost so far; two equal readings enclose one unbroken connection. */
  readonly losses: number;
  /** Strings in the reply are decoded as UTF-8. */
  readonly call: (command: string, ...args: RedisArgument[]) => Promise<unknown>;
  /** The same with strings as Buffers, which may be views of a larger one: copy what you keep. */
  readonly callBuffer: (command: string, ...args: RedisArgument[]) => Promise<unknown>;
  /** The same with the reply as it came, where it is a list of very many strings; null for nil. */
  readonly callRaw: (command: string, ...args: RedisArgument[]) => Promise<RespReply | null>;
  /** Runs an idempotent script; its keys lie in one slot. Strings in the reply are decoded as UTF-8. */
  readonly script: (
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ) => Promise<unknown>;
  /**
   * Names of links, of those given, that have no connection to the server that holds `key`, though they have had time to make one: a
   * process that was killed loses its connections at once. Empty when the server will not tell.
   */
  readonly missing: (key: string, names: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Of a cluster: keys of different slots may not meet in a command. Absent where one server holds all keys. */
  readonly slotOf?: (key: string) => number;
  /** Of a cluster: the nodes that hold slots, found out anew. Absent where one server holds all keys. */
  readonly primaries?: () => Promise<readonly RedisPrimary[]>;
  /** Drops the connection; unanswered calls fail. */
  readonly close: () => void;
}

/**
 * One server that writes go to. Its calls are not repeated: they fail, as MR_REDIS_UNAVAILABLE, with the connection that it was got by.
 */
export interface RedisPrimary extends Pick<RedisLink, 'call' | 'script' | 'losses'> {
  /** A key that begins with `base` and lies there; null when there is no such key. */
  readonly keyOf: (base: string) => string | null;
}

/** Opens a link; {@link RedisConnection.open} for a real server. */
export type OpenRedisLink = (options: RedisLinkOptions) => Promise<RedisLink>;

export interface RedisLinkOptions {
  /** As {@link parseRedisUrl} reads it: one server, Sentinel or a cluster. */
  readonly url: string;
  /** What it is for; its connections have this and a number of their own as their name. */
  readonly name: string;
  readonly clock: Clock;
  readonly random?: Random;
  /** How long a call waits for a server that does not answer. Default LIMITS.redisUnavailableMs. */
  readonly unavailableMs?: number;
}

export type RedisArgument = string | number | Buffer;
