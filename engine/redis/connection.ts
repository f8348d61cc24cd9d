import { Redis } from 'ioredis';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { backoffMs, systemRandom } from '../base/random.ts';
import { redisError, redisFailure } from './redis-error.ts';
import type { RedisArgument, RedisLink, RedisLinkOptions } from './redis-link.ts';
import type { Script } from './script.ts';
import { assertSupported, probeServer, type ServerFacts } from './server-facts.ts';

/*
 * One connection to Redis or Valkey that outlives restarts of the server.
 *
 * Owns: the socket, reconnecting, and how long a caller waits for an answer. Does not own: what a repeated command means.
 *
 * RC1 A call settles: with the server's answer, or with MR_REDIS_UNAVAILABLE no later than `unavailableMs` after it was made.
 * RC2 A call may reach the server more than once when the connection drops, so only idempotent commands go through here.
 * RC3 Calls made one after another are written in that order; after a loss unanswered ones are written again first. (A script that
 *     the server does not know yet is written twice, and may fall behind.)
 * RC4 While there is no connection nothing is queued below this class: callers hold what they send.
 *
 * ioredis: its offline queue is off (it would keep frames without bound during an outage); resending unanswered commands stays on,
 * because without it their promises never settle. Protocol 2 has the same reply shapes on every server.
 */
export class RedisConnection implements RedisLink {
  readonly #redis: Redis;
  readonly #options: Required<RedisLinkOptions>;
  #server: ServerFacts | null = null;
  #losses = 0;
  #closed = false;
  #lastError = 'no connection yet.';
  #ready: Promise<void> | null = null;

  private constructor(options: Required<RedisLinkOptions>) {
    this.#options = options;
    this.#redis = new Redis(options.url, {
      lazyConnect: true,
      protocol: 2,
      connectionName: options.name,
      maxRetriesPerRequest: null,
      enableOfflineQueue: false,
      enableReadyCheck: true,
      autoResendUnfulfilledCommands: true,
      connectTimeout: LIMITS.redisSocketTimeoutMs,
      socketTimeout: LIMITS.redisSocketTimeoutMs,
      retryStrategy: (attempt) => backoffMs(attempt - 1, 50, LIMITS.redisReconnectMsMax, options.random),
      // A demoted primary answers READONLY for ever; a new connection is resolved to the new one.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error.message;
    });
    this.#redis.on('close', () => {
      this.#losses++;
    });
  }

  /**
   * Connects and checks the server.
   * @throws MR_REDIS_UNAVAILABLE when there is none within `unavailableMs`; MR_REDIS_UNSUPPORTED when it is too old.
   */
  static async open(this: void, options: RedisLinkOptions): Promise<RedisConnection> {
    const connection = new RedisConnection({
      random: systemRandom,
      unavailableMs: LIMITS.redisUnavailableMs,
      ...options,
    });
    try {
      connection.#redis.connect().catch(() => undefined); // the error event carries why
      connection.#server = await probeServer(connection);
      assertSupported(connection.#server);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The server at the time of opening. */
  get server(): ServerFacts {
    if (this.#server === null) throw new MillraceError('MR_INVARIANT', 'The server was not probed.');
    return this.#server;
  }

  /** How often the connection was lost so far; two equal readings enclose one unbroken connection. */
  get losses(): number {
    return this.#losses;
  }

  /** Sends an idempotent command; strings in the reply are decoded as UTF-8. */
  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#settle(command, () => this.#redis.call(command, args));
  }

  /** The same with strings as Buffers, which may be views of a larger one: copy what you keep. */
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#settle(command, () => this.#redis.callBuffer(command, args));
  }

  /** Runs an idempotent script; its keys must lie in one slot. Strings in the reply are decoded as UTF-8. */
  script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const run = (command: string, body: string) =>
      this.#redis.call(command, [body, script.keyCount, ...keys, ...args]);
    return this.#settle(`script ${script.name}`, async () => {
      try {
        return await run('EVALSHA', script.sha);
      } catch (error) {
        if (redisFailure(error) !== 'noscript') throw error;
        return await run('EVAL', script.source);
      }
    });
  }

  /** Drops the connection; unanswered calls fail. */
  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  async #settle<T>(doing: string, send: () => Promise<T>): Promise<T> {
    let expired = false;
    let expire: (error: Error) => void = () => undefined;
    const deadline = new Promise<never>((_, reject) => {
      expire = reject;
    });
    deadline.catch(() => undefined);
    const cancel = this.#options.clock.after(this.#options.unavailableMs, () => {
      expired = true;
      expire(this.#unavailable(doing));
    });
    try {
      for (let attempt = 0; ; attempt++) {
        if (this.#redis.status !== 'ready') await Promise.race([this.#whenReady(doing), deadline]);
        try {
          return await Promise.race([send(), deadline]);
        } catch (error) {
          const failure = redisFailure(error);
          if (expired || this.#closed || (failure !== 'lost' && failure !== 'transient')) throw error;
          const pause = this.#options.clock.sleep(
            backoffMs(attempt, failure === 'lost' ? 500 : 10, 1_000, this.#options.random),
          );
          // All that were refused by a dying socket go on together when there is a new one, which keeps their order (RC3).
          await Promise.race(
            failure === 'lost' ? [this.#whenReady(doing), pause, deadline] : [pause, deadline],
          );
        }
      }
    } catch (error) {
      throw redisError(error, doing);
    } finally {
      cancel();
    }
  }

  #whenReady(doing: string): Promise<void> {
    if (this.#closed)
      throw new MillraceError(
        'MR_REDIS_UNAVAILABLE',
        `Redis did not carry out ${doing}: the connection was closed by us.`,
      );
    this.#ready ??= new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#redis.off('ready', onReady);
        this.#redis.off('end', onEnd);
        this.#ready = null;
        act();
      };
      const onReady = () => settle(resolve);
      const onEnd = () => settle(() => reject(this.#unavailable(doing)));
      this.#redis.on('ready', onReady);
      this.#redis.on('end', onEnd);
    });
    return this.#ready;
  }

  #unavailable(doing: string): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `Redis at ${redacted(this.#options.url)} did not carry out ${doing} within ${this.#options.unavailableMs} ms: ${this.#lastError} Check that the server is up and reachable.`,
    );
  }
}

function redacted(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}
