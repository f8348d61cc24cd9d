/**
 * The forwarder's connection to the partition log on Redis or Valkey. Appends through the log's own script, so that both
 * sides obey one truth about sequences.
 *
 * Owns: one socket and its reconnecting. Does not own: what is sent when, nor any frame.
 *
 * RL1  An unanswered append fails as soon as the connection is lost; nothing is queued or repeated below this file.
 * RL2  {@link RedisLink.session} changes with every new connection, because what the server knew may have changed with it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import {
  backoffMs,
  errorText,
  heldForwardersKey,
  LIMITS,
  MillraceError,
  type PartitionedBy,
  partitionKeys,
  type Random,
  schemasKey,
  topicsKey,
} from '#wire';
import type { HeldFacts } from './held-report.ts';

const appendSource = script('append-4.lua');
const trimSource = script('trim-2.lua');

const CONNECT_TIMEOUT_MS = 5_000;
/** A connection with an unanswered command and no byte for this long is dead. */
const SILENCE_MS = 10_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 5_000;

export interface RedisLinkOptions {
  /** `redis://…`, `rediss://…`, or the path of a unix socket. */
  readonly url: string;
  readonly namespace: string;
  readonly topic: string;
  readonly producer: string;
  readonly random: Random;
}

/** One frame with what the append script wants to know of it. */
export interface AppendRequest {
  readonly partition: number;
  readonly epoch: number;
  readonly prev: number;
  readonly first: number;
  readonly last: number;
  readonly records: number;
  readonly crc: number;
  readonly frame: Uint8Array;
}

export type AppendReply =
  | { readonly kind: 'ok' }
  | { readonly kind: 'duplicate'; readonly last: number }
  | { readonly kind: 'gap'; readonly expected: number }
  | { readonly kind: 'fenced'; readonly epoch: number }
  | { readonly kind: 'full' }
  | { readonly kind: 'over-quota'; readonly quotaBytes: number }
  | { readonly kind: 'no-topic' }
  /** The server is there but cannot take it now (loading, demoted, out of memory). */
  | { readonly kind: 'refused'; readonly why: string };

/** Without a word for so long, nobody is known to be held. */
const HELD_SECONDS = 60;

export interface TopicFacts {
  readonly partitions: number;
  readonly schemaId: string;
  /** Null: the topic does not say. */
  readonly partitionedBy: PartitionedBy | null;
}

export interface ProducerFacts {
  readonly epoch: number;
  readonly last: number;
}

export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #redis: Redis;
  #session = 0;
  #waiting: (() => void)[] = [];
  #lastError = 'not connected yet';

  /** Starts connecting in the background. */
  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.#redis = new Redis(options.url, {
      lazyConnect: true,
      protocol: 2,
      connectionName: `millrace-edge-${options.producer}`,
      // 0: pending commands fail when the connection is lost, and the outbox sends again what is not confirmed (RL1).
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      // Waited for in full when the socket is gone already, which would hold up a stop.
      disconnectTimeout: 100,
      retryStrategy: (attempt) =>
        backoffMs(attempt - 1, RECONNECT_FIRST_MS, RECONNECT_MAX_MS, options.random),
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastError = errorText(error);
    });
    this.#redis.on('ready', () => {
      this.#session++;
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.#redis.connect().catch(() => undefined); // the error event says why; the retry strategy goes on
  }

  /** Number of the present connection; 0 before the first. */
  get session(): number {
    return this.#session;
  }

  get connected(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Why there is no connection. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Resolves when there is a connection or `signal` aborts. */
  ready(signal: AbortSignal): Promise<void> {
    if (this.connected || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#waiting.push(done);
    });
  }

  /** The topic as the log knows it, or null. @throws whatever the connection fails with */
  async topic(): Promise<TopicFacts | null> {
    const { namespace, topic } = this.#options;
    const text = await this.#redis.hget(topicsKey(namespace), topic);
    if (text === null) return null;
    const { partitions, schemaId, partitionedBy } = JSON.parse(text) as Partial<Record<string, unknown>>;
    if (Number.isInteger(partitions) && typeof schemaId === 'string') {
      const by = (partitionedBy ?? null) as PartitionedBy | null;
      return { partitions: Number(partitions), schemaId, partitionedBy: by };
    }
    throw new MillraceError(
      'MR_LOG_TOPIC_MISMATCH',
      `The settings of topic '${topic}' cannot be read. Create it again.`,
    );
  }

  /** Text of a registered schema, or null. */
  schemaText(id: string): Promise<string | null> {
    return this.#redis.hget(schemasKey(this.#options.namespace), id);
  }

  /** Makes the schema of our frames known. Idempotent. */
  async registerSchema(id: string, text: string): Promise<void> {
    await this.#redis.hsetnx(schemasKey(this.#options.namespace), id, text);
  }

  /** What each partition knows of this producer; null where it knows nothing. */
  async producerFacts(partitions: number): Promise<(ProducerFacts | null)[]> {
    const { producer } = this.#options;
    const keys = Array.from({ length: partitions }, (_, p) => this.#keys(p).producers);
    const texts = await Promise.all(keys.map((key) => this.#redis.hget(key, producer)));
    return texts.map((text) => {
      if (text === null) return null;
      const [epoch, last] = text.split(' ').map(Number);
      return { epoch: epoch as number, last: last as number };
    });
  }

  /** Puts the script where EVALSHA finds it; once per session. */
  async prepare(): Promise<void> {
    await Promise.all([appendSource, trimSource].map(({ text }) => this.#redis.script('LOAD', text)));
  }

  /** Sends all at once, in order. Rejects when the connection is lost: any of them may have arrived. */
  append(requests: readonly AppendRequest[], nowMs: number): Promise<AppendReply[]> {
    return Promise.all(requests.map((request) => this.#append(request, nowMs)));
  }

  /** Lets a topic that is kept by retention drop what it may, as the log does when a partition is full. */
  async trim(partition: number, nowMs: number): Promise<void> {
    const { stream, meta } = this.#keys(partition);
    await this.#redis.evalsha(trimSource.sha, 2, stream, meta, nowMs, LIMITS.trimFramesPerCall);
  }

  /** Says that full partitions keep us waiting, until it is said again or runs out; null: not any more. */
  async tellHeld(facts: HeldFacts | null): Promise<void> {
    const { namespace, topic, producer } = this.#options;
    const key = heldForwardersKey(namespace, topic);
    if (facts === null) return void (await this.#redis.hdel(key, producer));
    const [seconds, micros] = await this.#redis.time();
    const at = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    const text = JSON.stringify({ ...facts, at });
    await this.#redis.multi().hset(key, producer, text).expire(key, HELD_SECONDS).exec();
  }

  close(): void {
    this.#redis.disconnect();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #append(r: AppendRequest, nowMs: number): Promise<AppendReply> {
    const { stream, meta, producers, producerOrder } = this.#keys(r.partition);
    const crc = r.crc.toString(16).padStart(8, '0');
    const frame = Buffer.from(r.frame.buffer, r.frame.byteOffset, r.frame.byteLength);
    const head = [
      this.#options.producer,
      r.epoch,
      r.prev,
      r.first,
      r.last,
      r.records,
      crc,
      nowMs,
      LIMITS.producersPerPartitionMax,
    ];
    const keys = [stream, meta, producers, producerOrder];
    try {
      return appendReply(await this.#redis.evalsha(appendSource.sha, keys.length, ...keys, ...head, frame));
    } catch (error) {
      const why = errorText(error);
      // A reply of the server starts with an upper-case code; everything else is the connection.
      if (/^-?[A-Z]{2,} /.test(why)) return { kind: 'refused', why };
      throw error;
    }
  }

  #keys(partition: number) {
    return partitionKeys(this.#options.namespace, this.#options.topic, partition);
  }
}

function appendReply(reply: unknown): AppendReply {
  const [status, detail] = reply as [string, number];
  switch (status) {
    case 'OK':
      return { kind: 'ok' };
    case 'DUP':
      return { kind: 'duplicate', last: detail };
    case 'GAP':
      return { kind: 'gap', expected: detail };
    case 'FENCED':
      return { kind: 'fenced', epoch: detail };
    case 'FULL':
      return { kind: 'full' };
    case 'OVERQUOTA':
      return { kind: 'over-quota', quotaBytes: detail };
    case 'NOTOPIC':
      return { kind: 'no-topic' };
    default:
      return { kind: 'refused', why: `unknown answer ${status}` };
  }
}

function script(name: string): { readonly text: string; readonly sha: string } {
  const text = readFileSync(new URL(`../engine/log/scripts/${name}`, import.meta.url), 'utf8');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
