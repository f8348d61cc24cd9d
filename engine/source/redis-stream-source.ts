import { errorText, hasCode, MillraceError } from '../base/errors.ts';
import type { Element } from '../runtime/channel.ts';
import type { SourceContext, SourceReader, SourceSnapshot } from '../runtime/source.ts';
import type { PartitionClock, PartitionClockState } from '../time/partition-clock.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import { BatchBuilder } from '../wire/batch-builder.ts';
import type { Schema } from '../wire/schema.ts';
import { admitRecords } from './future-records.ts';
import type { RedisStreamReader, StreamRead } from './redis-stream-reader.ts';
import { LOOK_EVERY_MS, SourceTime } from './source-time.ts';
import type { StreamEntries } from './stream-entries.ts';
import { type EntryDecoder, entryDecoder, rawEntry, type StreamFormat } from './stream-entry.ts';
import type { StreamPosition } from './stream-position.ts';

/** One stream's part of a snapshot: where to go on, and its event time. */
export interface StreamState extends StreamPosition {
  readonly stream: string;
  readonly clock: PartitionClockState;
}

/** One stream as the task sees it. */
export interface StreamPartition {
  readonly stream: string;
  readonly partition: number;
  readonly clock: PartitionClock;
  /** After the last entry that was given. */
  position: StreamPosition;
  newestMs: number;
  records: number;
  bytes: number;
}

/**
 * Turns entries of foreign streams into batches and watermarks. One read of one stream becomes one batch.
 *
 * FS1 positions and event time change only in `poll`, together with the batch that they belong to.
 * FS2 a record further ahead than `maxAheadMs` moves no watermark and goes to dead letters.
 * FS3 an entry that cannot be read never holds up those behind it, unless the job is to fail on it.
 * FS4 a stream that alignment has paused is not taken from; what is read ahead of it stays bounded by the reader.
 */
export class RedisStreamSource implements SourceReader {
  readonly #partitions: readonly StreamPartition[];
  readonly #reader: RedisStreamReader;
  readonly #context: SourceContext;
  readonly #time: SourceTime;
  readonly #builder: BatchBuilder<unknown>;
  readonly #decode: EntryDecoder;
  #turn = 0;
  #waiting = false;
  #closed = false;
  #cancelTick: () => void = () => {};

  constructor(
    schema: Schema,
    { format, field }: { readonly format: StreamFormat; readonly field: string },
    partitions: readonly StreamPartition[],
    reader: RedisStreamReader,
    context: SourceContext,
  ) {
    this.#partitions = partitions;
    this.#reader = reader;
    this.#context = context;
    this.#builder = new BatchBuilder(schema);
    this.#decode = entryDecoder(this.#builder, format, field);
    this.#time = new SourceTime(
      partitions.map(({ clock }) => clock),
      context,
    );
    this.#tick();
  }

  poll(): Element | null {
    const signal = this.#time.shift();
    if (signal !== null) return signal;
    for (const channel of this.#partitions.keys()) this.#reader.pause(channel, this.#time.paused(channel));
    for (let looked = 0; looked < this.#partitions.length; looked++) {
      const channel = this.#turn;
      this.#turn = (channel + 1) % this.#partitions.length;
      const read = this.#time.paused(channel) ? null : this.#reader.take(channel);
      if (read !== null) return this.#give(channel, read);
    }
    if (this.#reader.failure !== null) throw this.#reader.failure;
    this.#time.look((channel) => this.#reader.atHead(channel, LOOK_EVERY_MS * 10));
    this.#wait();
    return this.#time.shift();
  }

  snapshot(): SourceSnapshot {
    const items: StreamState[] = this.#partitions.map(({ stream, position, clock }) => ({
      stream,
      id: position.id,
      read: position.read,
      clock: clock.snapshot(),
    }));
    return { items, positions: [] };
  }

  status(): ReturnType<SourceReader['status']> {
    const nowMs = this.#context.clock.now();
    return this.#partitions.map((p, channel) => {
      const { read } = p.position;
      const added = this.#reader.added(channel);
      const lagRecords = added === null || read === null ? null : Math.max(0, added - read);
      return {
        topic: p.stream,
        partition: p.partition,
        offset: read ?? p.records,
        lagRecords,
        lagMs: lagRecords === 0 ? 0 : Number.isNaN(p.newestMs) ? null : Math.max(0, nowMs - p.newestMs),
        watermark: p.clock.watermark === MIN_WATERMARK ? null : p.clock.watermark,
        idle: p.clock.idle,
        paused: this.#time.paused(channel),
        recordsRead: p.records,
        bytesRead: p.bytes,
      };
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTick();
    this.#time.close();
    await this.#reader.close();
  }

  #give(channel: number, read: StreamRead): Element | null {
    const partition = this.#partitions[channel] as StreamPartition;
    partition.position = read.next;
    partition.bytes += read.entries.fieldBytes;
    for (let entry = 0; entry < read.entries.length; entry++) this.#add(partition, read.entries, entry);
    this.#time.active();
    if (this.#builder.count === 0) return this.#nothingOf();
    const batch = this.#builder.finish();
    partition.records += batch.count;
    let newestMs = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < batch.count; i++) newestMs = Math.max(newestMs, batch.times[i] as number);
    const admitted = admitRecords(batch, newestMs, this.#context);
    if (admitted.newestMs > Number.NEGATIVE_INFINITY) {
      partition.newestMs = admitted.newestMs;
      this.#time.observe(channel, THE_PRODUCER, admitted.newestMs, Number.NaN);
    }
    const { selection } = admitted;
    if (selection !== null && selection.length === 0) return this.#nothingOf();
    return { kind: 'records', records: { kind: 'columns', batch, selection } };
  }

  /** A read left nothing to hand on, but others may wait behind it. */
  #nothingOf(): Element | null {
    this.#context.wake();
    return this.#time.shift();
  }

  #add({ stream }: StreamPartition, entries: StreamEntries, entry: number): void {
    try {
      this.#decode(entries, entry);
    } catch (error) {
      if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
      const raw = rawEntry(stream, entries, entry);
      this.#context.unreadable(
        new MillraceError(
          'MR_RECORD_INVALID',
          `Entry ${raw.id} of stream '${stream}' cannot be read: ${errorText(error)}`,
          { cause: error, details: { operator: this.#context.operator, stream, entry: raw.id } },
        ),
        raw,
      );
    }
  }

  #wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    void this.#reader.ready().then(() => {
      this.#waiting = false;
      this.#context.wake();
    });
  }

  /** Wakes the task for idleness. */
  #tick(): void {
    if (this.#closed) return;
    this.#context.wake();
    this.#cancelTick = this.#context.clock.after(LOOK_EVERY_MS, () => this.#tick());
  }
}

/** Foreign entries do not say who wrote them; a stream counts as one producer. */
const THE_PRODUCER = '';
