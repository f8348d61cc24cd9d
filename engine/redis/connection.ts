import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { backoffMs, systemRandom } from '../base/random.ts';
import { ClusterConnection } from './cluster-connection.ts';
import { OrderedCalls } from './ordered-calls.ts';
import { lastingClient, scriptSender } from './redis-client.ts';
import { RawReplies } from './raw-replies.ts';
import { linkName, missingLinks } from './missing-links.ts';
import type { RedisArgument, RedisLink, RedisLinkOptions } from './redis-link.ts';
import { parseRedisUrl, type RedisTarget, targetText } from './redis-url.ts';
import type { RespReply } from './resp-scanner.ts';
import type { Script } from './script.ts';
import { SentinelWatch } from './sentinel-watch.ts';
import { assertSupported, probeServer, type ServerFacts } from './server-facts.ts';

/*
 * One connection to Redis or Valkey, at a fixed place or wherever Sentinel says, that outlives restarts and fail-overs of the server.
 * ClusterConnection keeps the same for a cluster.
 *
 * Owns: the socket, reconnecting, and how long a caller waits for an answer. Does not own: what a repeated command means.
 *
 * RC1 A call settles: with the server's answer, or with MR_REDIS_UNAVAILABLE no later than `unavailableMs` after it was made.
 * RC2 A call may reach the server more than once when the connection drops or the server fails over, so only idempotent commands go
 *     through here. What was acknowledged may be gone after a fail-over: openDurability tells.
 * RC3 Calls made one after another (in a cluster: on keys of one slot) are written in that order, also when they have to be written
 *     again (OC2).
 * RC4 While there is no connection nothing is queued below this class: callers hold what they send.
 */
export class RedisConnection implements RedisLink {
  readonly #redis: Redis;
  readonly #raw: RawReplies;
  readonly #watch: SentinelWatch | null;
  readonly #options: Required<RedisLinkOptions>;
  readonly #calls: OrderedCalls;
  readonly #place: string;
  #server: ServerFacts | null = null;
  #losses = 0;
  #closed = false;
  /** A sentinel named another primary while the connection was being made. */
  #isReplaced = false;
  #lastError = 'no connection yet.';
  #ready: Promise<void> | null = null;

  private constructor(
    target: Exclude<RedisTarget, { readonly kind: 'cluster' }>,
    options: Required<RedisLinkOptions>,
  ) {
    const { name, random } = options;
    const retryMs = (attempt: number) => backoffMs(attempt - 1, 50, LIMITS.redisReconnectMsMax, random);
    this.#redis = lastingClient(target, name, retryMs);
    this.#raw = new RawReplies(this.#redis);
    this.#watch =
      target.kind === 'sentinel'
        ? new SentinelWatch({ target, name, retryMs, onSwitch: () => this.#leave() })
        : null;
    this.#place = targetText(target);
    this.#options = options;
    this.#calls = new OrderedCalls({
      ...options,
      ready: () => (this.#redis.status === 'ready' ? null : this.#whenReady()),
      again: (failure) =>
        !this.#closed && (failure === 'lost' || failure === 'transient' || failure === 'noscript'),
      unavailable: (doing) => this.#unavailable(doing),
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error.message;
    });
    this.#redis.on('close', () => {
      this.#losses++;
    });
    this.#redis.on('ready', () => {
      if (this.#isReplaced) this.#leave();
    });
    // Left while it asks the sentinels, the client gives up for good.
    this.#redis.on('end', () => {
      if (!this.#closed) options.clock.after(retryMs(1), () => this.#connect());
    });
  }

  /**
   * Connects to what the URL names and checks the server.
   * @throws MR_CONFIG_INVALID for the URL; MR_REDIS_UNAVAILABLE when there is none within `unavailableMs`; MR_REDIS_UNSUPPORTED when it
   *   is too old.
   */
  static async open(this: void, given: RedisLinkOptions): Promise<RedisLink> {
    const name = linkName(given.name, randomUUID());
    const options = { random: systemRandom, unavailableMs: LIMITS.redisUnavailableMs, ...given, name };
    const target = parseRedisUrl(options.url);
    if (target.kind === 'cluster') return await ClusterConnection.open(target, options);
    const connection = new RedisConnection(target, options);
    try {
      connection.#connect();
      connection.#server = await probeServer(connection);
      assertSupported(connection.#server);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get name(): string {
    return this.#options.name;
  }

  get server(): ServerFacts {
    if (this.#server === null) throw new MillraceError('MR_INVARIANT', 'The server was not probed.');
    return this.#server;
  }

  get losses(): number {
    return this.#losses;
  }

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#calls.run(command, () => this.#redis.call(command, args));
  }

  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#calls.run(command, () => this.#redis.callBuffer(command, args));
  }

  callRaw(command: string, ...args: RedisArgument[]): Promise<RespReply | null> {
    return this.#calls.run(command, () => this.#raw.call(command, args)) as Promise<RespReply | null>;
  }

  script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const send = scriptSender(script, keys, args);
    return this.#calls.run(`script ${script.name}`, () => send(this.#redis));
  }

  async missing(_key: string, names: readonly string[]): Promise<ReadonlySet<string>> {
    return missingLinks(String(await this.call('CLIENT', 'LIST', 'TYPE', 'normal')), names);
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#redis.disconnect();
    this.#calls.end(this.#closedByUs());
  }

  #connect(): void {
    if (this.#closed || this.#redis.status === 'ready') return;
    this.#redis.connect().catch(() => undefined); // the error event carries why
  }

  /** Another server has taken over. A connection that is being made may still be one to the old server, and is left when it stands. */
  #leave(): void {
    this.#isReplaced = this.#redis.status !== 'ready';
    if (!this.#isReplaced) this.#redis.disconnect(true);
  }

  #whenReady(): Promise<void> {
    if (this.#closed) throw this.#closedByUs();
    this.#ready ??= new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#redis.off('ready', onReady);
        this.#redis.off('end', onEnd);
        this.#ready = null;
        act();
      };
      const onReady = () => settle(resolve);
      const onEnd = () => {
        if (this.#closed) settle(() => reject(this.#closedByUs()));
      };
      this.#redis.on('ready', onReady);
      this.#redis.on('end', onEnd);
    });
    return this.#ready;
  }

  #closedByUs(): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `The connection to Redis at ${this.#place} was closed by us.`,
    );
  }

  #unavailable(doing: string): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `Redis at ${this.#place} did not carry out ${doing} within ${this.#options.unavailableMs} ms: ${this.#lastError} Check that the server is up and reachable.`,
    );
  }
}
