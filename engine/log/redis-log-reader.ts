import type { Clock } from '../base/clock.ts';
import { type Offset, offset } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import { RedisConnection } from '../redis/connection.ts';
import { partitionKeys } from '../redis/keys.ts';
import { redisError } from '../redis/redis-error.ts';
import type { OpenRedisLink, RedisLink } from '../redis/redis-link.ts';
import { slotGroups } from '../redis/slot-groups.ts';
import { readEnvelope } from '../wire/frame.ts';
import { nextChain } from './chain.ts';
import { noTopic, rolledBack } from './log-error.ts';
import type { LogReader, Position, ReaderOptions, StoredFrame } from './partition-log.ts';
import { positionFailure } from './position-check.ts';
import { validPartition } from './topic-settings.ts';

export interface RedisLogReaderOptions extends ReaderOptions {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random?: Random;
  readonly unavailableMs?: number;
  readonly openLink?: OpenRedisLink | undefined;
  readonly onClose: (reader: LogReader) => void;
}

/** @throws MR_LOG_NO_TOPIC, MR_REDIS_UNAVAILABLE */
export async function openRedisLogReader(options: RedisLogReaderOptions): Promise<LogReader> {
  const partitions = [...options.positions].map(([partition, position]): PartitionCursor => {
    const { stream, meta } = partitionKeys(
      options.namespace,
      options.topic,
      validPartition(options.topic, partition),
    );
    return {
      partition,
      stream,
      meta,
      next: position,
      queue: [],
      behind: true,
      paused: false,
      lookedAtMs: Number.NEGATIVE_INFINITY,
    };
  });
  const openLink = options.openLink ?? RedisConnection.open;
  const connection = await openLink({ ...options, name: 'millrace-read' });
  const reader = new RedisLogReader(options, connection, partitions);
  try {
    await reader.start();
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/*
 * Reads some partitions ahead of a task, on a connection of its own.
 *
 * Owns the connection and the frames read ahead. Suspends in one loop only (#run): for replies and for room.
 *
 * RL1 Per partition, frames come in offset order, each once: an entry is accepted only when its id and its chain are those of
 *     the position before it. Reads are repeated from that position after a loss, so nothing is skipped or given twice.
 * RL2 At most framesAheadMax frames of a partition wait here.
 * RL3 A frame is copied once, out of the socket's memory, to the start of a buffer of its own.
 * RL4 A head is not only empty but checked: at least every verifyMs, and after every loss of the connection, position and chain are
 *     compared with the partition's ends, since a log that was rolled back below us shows nothing to read.
 *
 * When every partition stands at its head one XREAD blocks over all of them with a small COUNT, because COUNT is per stream. A
 * partition that gave COUNT frames is behind, and is read on its own with all the room it has. In a cluster partitions lie in different
 * slots, over which no XREAD can block: there they are looked at side by side, at longer intervals while nothing comes.
 */
class RedisLogReader implements LogReader {
  readonly #options: RedisLogReaderOptions;
  readonly #connection: RedisLink;
  readonly #partitions: readonly PartitionCursor[];
  readonly #byNumber: ReadonlyMap<number, PartitionCursor>;
  readonly #framesAheadMax: number;
  readonly #pollFrames: number;
  #turn = 0;
  #buffered = 0;
  #failure: Error | null = null;
  #closed = false;
  #running: Promise<void> = Promise.resolve();
  #frameSignal: PromiseWithResolvers<void> | null = null;
  #roomSignal: PromiseWithResolvers<void> | null = null;
  #verifiedAtMs = 0;
  #verifiedLosses = 0;
  /** How often in a row a look at several slots found nothing. */
  #idleLooks = 0;

  constructor(options: RedisLogReaderOptions, connection: RedisLink, partitions: readonly PartitionCursor[]) {
    this.#options = options;
    this.#connection = connection;
    this.#partitions = partitions;
    this.#byNumber = new Map(partitions.map((cursor) => [cursor.partition, cursor]));
    this.#framesAheadMax = Math.max(1, options.framesAheadMax ?? LIMITS.sourceFramesAheadMax);
    this.#pollFrames = Math.min(LIMITS.readFramesPerPoll, this.#framesAheadMax);
  }

  /** Checks where the partitions stand and begins to read. */
  async start(): Promise<void> {
    this.#failure = await this.#verify();
    if (this.#failure === null && this.#partitions.length > 0) this.#running = this.#run();
  }

  get failure(): Error | null {
    return this.#failure;
  }

  take(): StoredFrame | null {
    if (this.#buffered === 0) return null;
    for (let looked = 0; looked < this.#partitions.length; looked++) {
      const cursor = this.#partitions[this.#turn] as PartitionCursor;
      this.#turn = (this.#turn + 1) % this.#partitions.length;
      const frame = cursor.paused ? undefined : cursor.queue.shift();
      if (frame === undefined) continue;
      this.#buffered--;
      this.#roomSignal?.resolve();
      return frame;
    }
    return null;
  }

  pause(partition: number, paused: boolean): void {
    const cursor = this.#byNumber.get(partition);
    if (cursor === undefined || cursor.paused === paused) return;
    cursor.paused = paused;
    if (!paused) this.#wake();
  }

  ready(): Promise<void> {
    if (this.#partitions.some(({ paused, queue }) => !paused && queue.length > 0) || this.#failure !== null)
      return Promise.resolve();
    this.#frameSignal ??= Promise.withResolvers();
    return this.#frameSignal.promise;
  }

  atHead(partition: number, maxAgeMs: number): boolean {
    const cursor = this.#byNumber.get(partition);
    if (cursor === undefined || cursor.queue.length > 0 || cursor.behind) return false;
    return this.#options.clock.monotonic() - cursor.lookedAtMs <= maxAgeMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connection.close();
    this.#roomSignal?.resolve();
    this.#wake();
    await this.#running;
    this.#options.onClose(this);
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed && this.#failure === null) await this.#round();
    } catch (error) {
      this.#failure ??= redisError(error, `reading '${this.#options.topic}'`);
    }
    this.#wake();
  }

  async #round(): Promise<void> {
    // Behind, one command fetches half of what may be held: a command costs as much as a frame.
    const wanted = Math.max(this.#pollFrames, this.#framesAheadMax >> 1);
    const open = this.#partitions.filter(
      ({ behind, queue }) => this.#framesAheadMax - queue.length >= (behind ? wanted : this.#pollFrames),
    );
    if (open.length === 0) return await this.#room();
    const behind = open.filter((cursor) => cursor.behind).sort((a, b) => a.queue.length - b.queue.length);
    const heads = open.filter((cursor) => !cursor.behind);
    if (behind.length === 0) {
      await this.#readHeads(heads);
    } else {
      const reads = behind
        .slice(0, CATCH_UP_READS_MAX)
        .map((cursor) => this.#read([cursor], this.#framesAheadMax - cursor.queue.length, null));
      for (const group of this.#groups(heads)) reads.push(this.#read(group, this.#pollFrames, null));
      await Promise.all(reads);
    }
    const now = this.#options.clock.monotonic();
    if (now - this.#verifiedAtMs >= VERIFY_MS || this.#connection.losses !== this.#verifiedLosses)
      this.#failure ??= await this.#verify();
  }

  async #readHeads(heads: readonly PartitionCursor[]): Promise<void> {
    const groups = this.#groups(heads);
    if (groups.length === 1) {
      const blockMs = heads.length === this.#partitions.length ? LIMITS.readBlockMs : PARTIAL_BLOCK_MS;
      await this.#read(heads, this.#pollFrames, blockMs);
      return;
    }
    const frames = await Promise.all(groups.map((group) => this.#read(group, this.#pollFrames, null)));
    this.#idleLooks = frames.some((count) => count > 0) ? 0 : this.#idleLooks + 1;
    if (this.#idleLooks > 0)
      await this.#options.clock.sleep(Math.min(LIMITS.readPollMsMax, 2 ** Math.min(this.#idleLooks - 1, 10)));
  }

  #groups(cursors: readonly PartitionCursor[]): readonly (readonly PartitionCursor[])[] {
    return slotGroups(this.#connection, cursors, ({ stream }) => stream);
  }

  #room(): Promise<void> {
    this.#roomSignal = Promise.withResolvers();
    return this.#roomSignal.promise;
  }

  /** Reads partitions that may meet in one command. Resolves to how many frames came. */
  async #read(cursors: readonly PartitionCursor[], count: number, blockMs: number | null): Promise<number> {
    const askedAtMs = this.#options.clock.monotonic();
    const keys = cursors.map((cursor) => cursor.stream);
    const ids = cursors.map((cursor) => `${cursor.next.offset}-0`);
    const block = blockMs === null ? [] : ['BLOCK', blockMs];
    const reply = (await this.#connection.callBuffer(
      'XREAD',
      'COUNT',
      count,
      ...block,
      'STREAMS',
      ...keys,
      ...ids,
    )) as XreadReply;
    // The server looked after it was asked; a blocked read that found nothing looked until its time was up.
    const lookedAtMs = askedAtMs + (reply === null ? (blockMs ?? 0) : 0);
    const entriesOf = new Map(reply?.map(([key, entries]) => [key.toString(), entries]));
    let frames = 0;
    for (const cursor of cursors) {
      const entries = entriesOf.get(cursor.stream) ?? [];
      for (const entry of entries) {
        const failure = this.#accept(cursor, entry);
        if (failure !== null) {
          this.#failure ??= (await this.#verify()) ?? failure;
          return frames;
        }
        frames++;
      }
      cursor.behind = entries.length >= count;
      cursor.lookedAtMs = lookedAtMs;
    }
    if (this.#buffered > 0) this.#wake();
    return frames;
  }

  /** Takes an entry as the next frame of its partition, or says why it is not (RL1). */
  #accept(cursor: PartitionCursor, [id, fields]: StreamEntry): Error | null {
    const [, stored, , chain] = fields;
    const expected = cursor.next;
    const fail = (found: string) => rolledBack(this.#options.topic, cursor.partition, expected, found);
    if (fields[0]?.toString() !== 'f' || fields[2]?.toString() !== 'c' || stored === undefined)
      return fail(`entry ${id.toString()} is not a frame of ours`);
    if (id.toString() !== `${expected.offset}-1`) return fail(`the next entry is ${id.toString()}`);
    if (chain?.toString() !== expected.chain) return fail(`the chain there is '${chain?.toString()}'`);
    const bytes = standsAlone(stored) ? stored : alignedCopy(stored);
    const { records, frameCrc } = readEnvelope(bytes);
    cursor.next = { offset: offset(expected.offset + records), chain: nextChain(expected.chain, frameCrc) };
    cursor.queue.push({ partition: cursor.partition, offset: expected.offset, next: cursor.next, bytes });
    this.#buffered++;
    return null;
  }

  /** Compares every position with the ends of its partition (RL4). */
  async #verify(): Promise<Error | null> {
    const losses = this.#connection.losses;
    const failures = await Promise.all(this.#partitions.map((cursor) => this.#verifyPartition(cursor)));
    this.#verifiedAtMs = this.#options.clock.monotonic();
    this.#verifiedLosses = losses;
    return failures.find((failure) => failure !== null) ?? null;
  }

  async #verifyPartition({ meta, partition, next }: PartitionCursor): Promise<Error | null> {
    const { topic } = this.#options;
    const reply = await this.#connection.call('HMGET', meta, 'start', 'startChain', 'end', 'chain');
    const [start, startChain = '', end, chain = ''] = reply as readonly string[];
    if (start === null && next.offset === 0) throw noTopic(topic, partition);
    const ends = start === null ? null : { start: Number(start), startChain, end: Number(end), chain };
    return positionFailure(topic, partition, next, ends);
  }

  #wake(): void {
    this.#frameSignal?.resolve();
    this.#frameSignal = null;
  }
}

/** A large reply comes in memory of its own, which need not be copied; a small one is a view of a chunk that it would keep alive. */
function standsAlone(stored: Buffer): boolean {
  return (stored.byteOffset & 7) === 0 && stored.buffer.byteLength <= stored.byteLength + ALONE_SLACK_BYTES;
}

function alignedCopy(stored: Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(stored.byteLength);
  stored.copy(bytes);
  return bytes;
}

/** One partition being read. */
interface PartitionCursor {
  readonly partition: number;
  readonly stream: string;
  readonly meta: string;
  /** After the last frame in `queue`. */
  next: Position & { readonly offset: Offset };
  readonly queue: StoredFrame[];
  /** Passed over by `take` and `ready`. */
  paused: boolean;
  /** The last read gave all it was asked for. */
  behind: boolean;
  /** Monotonic ms of the last time the server had nothing more. */
  lookedAtMs: number;
}

type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];
type XreadReply = readonly (readonly [key: Buffer, entries: readonly StreamEntry[]])[] | null;

const VERIFY_MS = 1_000;
/** How long to block over some partitions while others have no room. */
const PARTIAL_BLOCK_MS = 10;
const CATCH_UP_READS_MAX = 8;
/** What may lie around a frame in memory that is kept for it alone. */
const ALONE_SLACK_BYTES = 1_024;
