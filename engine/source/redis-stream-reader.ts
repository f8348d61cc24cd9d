import type { Clock } from '../base/clock.ts';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { RedisConnection } from '../redis/connection.ts';
import { redisError } from '../redis/redis-error.ts';
import type { OpenRedisLink, RedisLink } from '../redis/redis-link.ts';
import { slotGroups } from '../redis/slot-groups.ts';
import { type StreamEntries, streamsOf } from './stream-entries.ts';
import {
  compareIds,
  positionAfter,
  startPosition,
  type StreamFacts,
  type StreamPosition,
} from './stream-position.ts';

export interface RedisStreamReaderOptions {
  /** URL or socket path of the server. */
  readonly url: string;
  readonly streams: readonly { readonly name: string; readonly restored: StreamPosition | null }[];
  readonly startFrom: 'earliest' | 'latest';
  readonly clock: Clock;
  /** Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
}

/** Entries of one stream, in order. */
export interface StreamRead {
  readonly entries: StreamEntries;
  /** Where the stream stands after them. */
  readonly next: StreamPosition;
}

/*
 * Reads foreign streams ahead of a task, on a connection of its own. Streams are numbered 0, 1, … as in the options.
 *
 * Owns the connection and the entries read ahead. Suspends in one loop only (#run): for replies and for room. Writes nothing.
 *
 * RR1 Per stream, entries come in id order, each once, by XREAD from our own position; reads are repeated from there after a loss.
 * RR2 Per stream at most streamReadsAheadMax reads and, give or take one read, streamBytesAheadMax bytes wait here. What other streams
 *     have in the same reply counts too, since it is kept as long.
 * RR3 Every read is checked against the stream's counters, taken after it, before it is given: what was trimmed unread, and a stream that
 *     ran backwards, end the reading (see positionAfter). Heads are checked with every look at them.
 *
 * All streams are read with one XREAD, on a cluster all of one slot; over several slots no XREAD can block, so they are looked at side
 * by side, at longer intervals while nothing comes.
 */
export class RedisStreamReader {
  readonly #options: RedisStreamReaderOptions;
  readonly #connection: RedisLink;
  readonly #cursors: readonly StreamCursor[];
  #failure: Error | null = null;
  #closed = false;
  #running: Promise<void> = Promise.resolve();
  #readSignal: PromiseWithResolvers<void> | null = null;
  #roomSignal: PromiseWithResolvers<void> | null = null;
  /** How often in a row a look found nothing. */
  #idleLooks = 0;

  private constructor(
    options: RedisStreamReaderOptions,
    connection: RedisLink,
    cursors: readonly StreamCursor[],
  ) {
    this.#options = options;
    this.#connection = connection;
    this.#cursors = cursors;
  }

  /**
   * Connects, finds out where fresh streams start, and begins to read. A restored position that does not fit shows as {@link failure}.
   * @throws MR_REDIS_UNAVAILABLE; MR_CONFIG_INVALID when a key is no stream
   */
  static async open(options: RedisStreamReaderOptions): Promise<RedisStreamReader> {
    const openLink = options.openLink ?? RedisConnection.open;
    const connection = await openLink({ ...options, name: 'millrace-stream' });
    try {
      const cursors = await Promise.all(
        options.streams.map(async ({ name, restored }) => {
          const facts = await streamFacts(connection, name);
          return newCursor(name, restored ?? startPosition(facts, options.startFrom), facts);
        }),
      );
      const reader = new RedisStreamReader(options, connection, cursors);
      reader.#start();
      return reader;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Set when reading cannot go on: MR_LOG_ROLLED_BACK, MR_LOG_TRIMMED, MR_REDIS_UNAVAILABLE, MR_CONFIG_INVALID. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Where a stream is read from at first. */
  position(stream: number): StreamPosition {
    return (this.#cursors[stream] as StreamCursor).next;
  }

  /** Entries ever added to a stream, as far as is known. */
  added(stream: number): number | null {
    return (this.#cursors[stream] as StreamCursor).facts?.added ?? null;
  }

  take(stream: number): StreamRead | null {
    const cursor = this.#cursors[stream] as StreamCursor;
    const read = cursor.queue.shift();
    if (read === undefined) return null;
    cursor.bytesAhead -= heldBytes(read.entries);
    this.#roomSignal?.resolve();
    return read;
  }

  /** While a stream is paused {@link ready} passes it over. */
  pause(stream: number, paused: boolean): void {
    const cursor = this.#cursors[stream] as StreamCursor;
    if (cursor.paused && !paused) this.#wake();
    cursor.paused = paused;
  }

  /** Resolves when `take` may give something of a stream that is not paused, or reading has failed; sometimes earlier. */
  ready(): Promise<void> {
    const has = this.#cursors.some(({ paused, queue }) => !paused && queue.length > 0);
    if (has || this.#failure !== null || this.#closed) return Promise.resolve();
    this.#readSignal ??= Promise.withResolvers();
    return this.#readSignal.promise;
  }

  /** True when the last look at the stream found nothing that `take` has not given, and is younger than `maxAgeMs`. */
  atHead(stream: number, maxAgeMs: number): boolean {
    const { queue, lookedAtMs } = this.#cursors[stream] as StreamCursor;
    return queue.length === 0 && this.#options.clock.monotonic() - lookedAtMs <= maxAgeMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connection.close();
    this.#roomSignal?.resolve();
    this.#wake();
    await this.#running;
  }

  #start(): void {
    for (const cursor of this.#cursors) this.#accept(cursor, null, Number.NEGATIVE_INFINITY);
    if (this.#failure === null && this.#cursors.length > 0) this.#running = this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed && this.#failure === null) await this.#round();
    } catch (error) {
      this.#failure ??= redisError(
        error,
        `reading stream ${this.#cursors.map(({ name }) => `'${name}'`).join(', ')}`,
      );
    }
    this.#wake();
  }

  async #round(): Promise<void> {
    const open = this.#cursors.filter(hasRoom);
    if (open.length === 0) {
      this.#roomSignal = Promise.withResolvers();
      return await this.#roomSignal.promise;
    }
    const count = Math.min(...open.map(entriesToRead));
    const blockMs = open.some(({ behind }) => behind)
      ? null
      : open.length === this.#cursors.length
        ? LIMITS.readBlockMs
        : PARTIAL_BLOCK_MS;
    const askedAtMs = this.#options.clock.monotonic();
    const groups = slotGroups(this.#connection, open, ({ name }) => name);
    const entriesOf = new Map<string, StreamEntries>();
    const reads = groups.map((group) => this.#read(group, count, groups.length === 1 ? blockMs : null));
    for (const read of await Promise.all(reads))
      for (const [name, entries] of read) entriesOf.set(name, entries);
    // The server looked after it was asked; a blocked read that found nothing looked until its time was up.
    const lookedAtMs = askedAtMs + (groups.length === 1 && entriesOf.size === 0 ? (blockMs ?? 0) : 0);
    // Only now: facts from before the read say nothing of what it passed over.
    const facts = await Promise.all(open.map(({ name }) => streamFacts(this.#connection, name)));
    for (const [i, cursor] of open.entries()) {
      const entries = entriesOf.get(cursor.name) ?? null;
      cursor.facts = facts[i] ?? null;
      cursor.behind = entries !== null && entries.length >= count;
      this.#accept(cursor, entries, lookedAtMs);
    }
    if (this.#cursors.some(({ queue }) => queue.length > 0)) this.#wake();
    this.#idleLooks = entriesOf.size > 0 ? 0 : this.#idleLooks + 1;
    if (groups.length > 1 && this.#idleLooks > 0)
      await this.#options.clock.sleep(Math.min(LIMITS.readPollMsMax, 2 ** Math.min(this.#idleLooks - 1, 10)));
  }

  async #read(
    open: readonly StreamCursor[],
    count: number,
    blockMs: number | null,
  ): Promise<ReadonlyMap<string, StreamEntries>> {
    const block = blockMs === null ? [] : ['BLOCK', blockMs];
    const names = open.map(({ name }) => name);
    const ids = open.map(({ next }) => next.id);
    const args = ['COUNT', count, ...block, 'STREAMS', ...names, ...ids];
    const reply = await this.#connection.callRaw('XREAD', ...args);
    return reply === null ? new Map() : streamsOf(reply);
  }

  /** Queues what was read once the stream's facts vouch for it (RR3). */
  #accept(cursor: StreamCursor, entries: StreamEntries | null, lookedAtMs: number): void {
    const after = positionAfter(cursor.name, cursor.next, entries ?? [], cursor.facts);
    if (after instanceof MillraceError) {
      this.#failure ??= after;
      return;
    }
    cursor.next = after;
    if (cursor.facts === null || compareIds(cursor.facts.lastId, after.id) === 0)
      cursor.lookedAtMs = lookedAtMs;
    if (entries === null || entries.length === 0) return;
    cursor.queue.push({ entries, next: after });
    cursor.bytesAhead += heldBytes(entries);
    cursor.entryBytes = Math.max(1, (cursor.entryBytes + entries.fieldBytes / entries.length) / 2);
  }

  #wake(): void {
    this.#readSignal?.resolve();
    this.#readSignal = null;
  }
}

/** One stream being read. */
interface StreamCursor {
  readonly name: string;
  /** After the last entry in `queue`. */
  next: StreamPosition;
  facts: StreamFacts | null;
  readonly queue: StreamRead[];
  bytesAhead: number;
  /** Mean size of an entry, recent ones counting most. */
  entryBytes: number;
  paused: boolean;
  /** The last read gave all it was asked for. */
  behind: boolean;
  /** Monotonic ms of the last time the server had nothing more. */
  lookedAtMs: number;
}

/** How long to block over some streams while others have no room. */
const PARTIAL_BLOCK_MS = 10;
/** Size of an entry before one was seen; a first read so takes few. */
const ENTRY_BYTES_AT_FIRST = 16 * 1024;

function newCursor(name: string, next: StreamPosition, facts: StreamFacts | null): StreamCursor {
  return {
    name,
    next,
    facts,
    queue: [],
    bytesAhead: 0,
    entryBytes: ENTRY_BYTES_AT_FIRST,
    paused: false,
    behind: true,
    lookedAtMs: Number.NEGATIVE_INFINITY,
  };
}

function hasRoom({ queue, bytesAhead }: StreamCursor): boolean {
  return queue.length < LIMITS.streamReadsAheadMax && bytesAhead < LIMITS.streamBytesAheadMax;
}

function heldBytes({ reply }: StreamEntries): number {
  return reply.bytes.length + reply.values.byteLength;
}

function entriesToRead({ entryBytes }: StreamCursor): number {
  return Math.max(1, Math.min(LIMITS.streamReadEntriesMax, Math.floor(LIMITS.streamReadBytes / entryBytes)));
}

/** What the server says of a stream, or null when there is none. @throws MR_CONFIG_INVALID when the key holds something else */
async function streamFacts(connection: RedisLink, name: string): Promise<StreamFacts | null> {
  let reply: readonly unknown[];
  try {
    reply = (await connection.call('XINFO', 'STREAM', name)) as readonly unknown[];
  } catch (error) {
    const text = errorText(error instanceof MillraceError && error.cause !== undefined ? error.cause : error);
    if (text.startsWith('ERR no such key')) return null;
    if (!text.startsWith('WRONGTYPE')) throw error;
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Key '${name}' cannot be read as a stream: it holds another type. Check the stream's name.`,
      { cause: error, details: { stream: name } },
    );
  }
  const info = new Map<unknown, unknown>();
  for (let i = 0; i + 1 < reply.length; i += 2) info.set(reply[i], reply[i + 1]);
  const first = info.get('first-entry') as readonly [id: string] | null;
  return {
    length: Number(info.get('length')),
    added: Number(info.get('entries-added')),
    lastId: String(info.get('last-generated-id')),
    deletedId: String(info.get('max-deleted-entry-id')),
    firstId: first?.[0] ?? null,
  };
}
