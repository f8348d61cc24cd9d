import { errorCode, errorText, MillraceError } from '../base/errors.ts';
import type { Element } from '../runtime/channel.ts';
import type { Source, SourceContext, SourceReader, SourceSnapshot } from '../runtime/source.ts';
import { PartitionClock, type PartitionClockState } from '../time/partition-clock.ts';
import { WatermarkMerger } from '../time/watermark-merger.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import type { Batch } from '../wire/batch.ts';
import { decodeFrame, readEnvelope } from '../wire/frame.ts';
import { rowReader } from '../wire/row-reader.ts';
import type { Schema } from '../wire/schema.ts';
import type { LogReader, PartitionEnds, Position, StoredFrame } from './partition-log.ts';

/** One partition's part of a snapshot: where to go on, and its event time. */
interface PartitionState extends Position {
  readonly topic: string;
  readonly partition: number;
  readonly clock: PartitionClockState;
}

interface Partition {
  readonly partition: number;
  position: Position;
  readonly clock: PartitionClock;
  newestMs: number;
  records: number;
  bytes: number;
}

/** How often idleness is looked for and lag is refreshed. */
const LOOK_EVERY_MS = 100;
const ENDS_EVERY_MS = 1_000;

/** Reads a topic of the partition log; partition p belongs to subtask `p mod parallelism`. */
async function openLogSource(
  topic: string,
  schema: Schema,
  partitions: number,
  context: SourceContext,
): Promise<SourceReader> {
  const known =
    (await context.log.topic(topic)) ?? (await context.log.createTopic(topic, { partitions, schema }));
  const mine = Array.from({ length: known.partitions }, (_, p) => p).filter(
    (p) => p % context.parallelism === context.subtask,
  );
  const restored = (context.restored as readonly PartitionState[]).filter((state) => state.topic === topic);
  const nowMs = context.clock.monotonic();
  const states: Partition[] = [];
  for (const partition of mine) {
    const state = restored.find((candidate) => candidate.partition === partition);
    const position = state ?? (await context.log.position(topic, partition, context.options.startFrom));
    const clock = new PartitionClock({ ...context.options, nowMs });
    if (state !== undefined) clock.restore(state.clock, nowMs);
    states.push({
      partition,
      position: { offset: position.offset, chain: position.chain },
      clock,
      newestMs: Number.NaN,
      records: 0,
      bytes: 0,
    });
  }
  const reader = await context.log.openReader({
    topic,
    positions: new Map(states.map((s) => [s.partition, s.position])),
  });
  return new LogSourceReader(topic, schema, states, reader, context);
}

/** Makes `partitionLog(…)` a source. */
export function logSource<Row>(topic: string, schema: Schema<Row>, partitions: number): Source<Row> {
  return {
    kind: 'partition-log',
    target: topic,
    open: (context) => openLogSource(topic, schema, partitions, context),
  };
}

/**
 * Turns stored frames into batches and watermarks.
 *
 * LS1 positions and event time change only in `poll`, together with the batch that they belong to (SR2).
 * LS2 a record further ahead than `maxAheadMs` moves no watermark and goes to dead letters.
 * LS3 restored event time is that of the partition that lags most; none is left out until it proves idle again.
 */
class LogSourceReader implements SourceReader {
  readonly #topic: string;
  readonly #schema: Schema;
  readonly #partitions: readonly Partition[];
  readonly #reader: LogReader;
  readonly #context: SourceContext;
  readonly #merger: WatermarkMerger;
  #queued: Element[] = [];
  #sentIdle = false;
  #waiting = false;
  #closed = false;
  #lookedAtMs = 0;
  #endsAtMs = Number.NEGATIVE_INFINITY;
  #ends: readonly PartitionEnds[] | null = null;
  #cancelTick: () => void = () => {};

  constructor(
    topic: string,
    schema: Schema,
    partitions: readonly Partition[],
    reader: LogReader,
    context: SourceContext,
  ) {
    this.#topic = topic;
    this.#schema = schema;
    this.#partitions = partitions;
    this.#reader = reader;
    this.#context = context;
    this.#merger = new WatermarkMerger(Math.max(1, partitions.length));
    // One after another into a fresh merger: it waits for all of them, so that no partition runs ahead of one that lags (LS3).
    for (const [channel, { clock }] of partitions.entries()) this.#merger.watermark(channel, clock.watermark);
    if (this.#merger.merged > MIN_WATERMARK) this.#queueWatermark();
    this.#tick();
  }

  poll(): Element | null {
    const queued = this.#queued.shift();
    if (queued !== undefined) return queued;
    const frame = this.#reader.take();
    if (frame !== null) return this.#take(frame);
    if (this.#reader.failure !== null) throw this.#reader.failure;
    this.#look();
    if (!this.#waiting) {
      this.#waiting = true;
      void this.#reader.ready().then(() => {
        this.#waiting = false;
        this.#context.wake();
      });
    }
    return this.#queued.shift() ?? null;
  }

  snapshot(): SourceSnapshot {
    const items: PartitionState[] = this.#partitions.map((p) => ({
      topic: this.#topic,
      partition: p.partition,
      offset: p.position.offset,
      chain: p.position.chain,
      clock: p.clock.snapshot(),
    }));
    return { items, positions: items.map(({ clock: _, ...position }) => position) };
  }

  status(): ReturnType<SourceReader['status']> {
    const nowMs = this.#context.clock.now();
    return this.#partitions.map((p) => {
      const end = this.#ends?.find((ends) => ends.partition === p.partition)?.end;
      const lagRecords = end === undefined ? null : Math.max(0, end - p.position.offset);
      return {
        topic: this.#topic,
        partition: p.partition,
        offset: p.position.offset,
        lagRecords,
        lagMs: lagRecords === 0 ? 0 : Number.isNaN(p.newestMs) ? null : Math.max(0, nowMs - p.newestMs),
        watermark: p.clock.watermark === MIN_WATERMARK ? null : p.clock.watermark,
        idle: p.clock.idle,
        recordsRead: p.records,
        bytesRead: p.bytes,
      };
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTick();
    await this.#reader.close();
  }

  #take(frame: StoredFrame): Element | null {
    const channel = this.#partitions.findIndex((p) => p.partition === frame.partition);
    const partition = this.#partitions[channel] as Partition;
    partition.position = frame.next;
    partition.bytes += frame.bytes.length;
    const decoded = this.#decode(frame);
    if (decoded === null) return this.#queued.shift() ?? null;
    const { batch, envelope } = decoded;
    partition.records += batch.count;
    this.#sentIdle = false;
    const limitMs = this.#context.clock.now() + this.#context.options.maxAheadMs;
    const selection = envelope.maxTime > limitMs ? this.#refuseFuture(batch, limitMs) : null;
    const newestMs = selection === null ? envelope.maxTime : newest(batch, selection);
    partition.newestMs = newestMs;
    if (newestMs > Number.NEGATIVE_INFINITY) {
      partition.clock.observe(
        envelope.producer,
        newestMs,
        envelope.watermark,
        this.#context.clock.monotonic(),
      );
      if (this.#merger.watermark(channel, partition.clock.watermark)) this.#queueWatermark();
    }
    if (selection !== null && selection.length === 0) return this.#queued.shift() ?? null;
    return { kind: 'records', records: { kind: 'columns', batch, selection } };
  }

  /** A frame that cannot be read goes to dead letters whole, if the job says so (it throws otherwise). */
  #decode(frame: StoredFrame): ReturnType<typeof decodeFrame> | null {
    try {
      return decodeFrame(frame.bytes, (id) => (id === this.#schema.id ? this.#schema : undefined));
    } catch (error) {
      const where = `topic '${this.#topic}', partition ${frame.partition}, offset ${frame.offset}`;
      const code = errorCode(error) ?? 'MR_FRAME_CORRUPT';
      const message = `A frame cannot be read at ${where}: ${errorText(error)}`;
      this.#context.unreadable(
        new MillraceError(code, message, {
          cause: error,
          details: { operator: this.#context.operator, offset: frame.offset },
        }),
        {
          topic: this.#topic,
          partition: frame.partition,
          offset: frame.offset,
          records: envelopeRecords(frame.bytes),
          frame: frame.bytes,
        },
      );
      return null;
    }
  }

  #refuseFuture(batch: Batch, limitMs: number): Uint16Array {
    const kept: number[] = [];
    const read = rowReader(batch.schema);
    for (let i = 0; i < batch.count; i++) {
      const time = batch.times[i] as number;
      if (time <= limitMs) kept.push(i);
      else this.#context.deadLetter(read(batch, i), 'future-timestamp', time);
    }
    return Uint16Array.from(kept);
  }

  /** Nothing has arrived: is a partition, or all of them, idle? */
  #look(): void {
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    for (const [channel, p] of this.#partitions.entries()) {
      if (!this.#reader.atHead(p.partition, LOOK_EVERY_MS * 10)) continue;
      p.clock.atHead(nowMs);
      // Idleness of its producers may have raised the partition's watermark: first the time, then that nothing follows.
      const caughtUp = this.#merger.of(channel) === p.clock.watermark;
      const risen = !(p.clock.idle && caughtUp) && this.#merger.watermark(channel, p.clock.watermark);
      const freed = p.clock.idle && this.#merger.idle(channel);
      if (risen || freed) this.#queueWatermark();
    }
    if ((this.#merger.allIdle || this.#partitions.length === 0) && !this.#sentIdle) {
      this.#sentIdle = true;
      this.#queued.push({ kind: 'idle' });
    }
  }

  #queueWatermark(): void {
    this.#queued.push({ kind: 'watermark', time: this.#merger.merged });
  }

  /** Wakes the task for idleness, and refreshes what lag is measured against. */
  #tick(): void {
    if (this.#closed) return;
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#endsAtMs >= ENDS_EVERY_MS) {
      this.#endsAtMs = nowMs;
      this.#context.log.ends(this.#topic).then(
        (ends) => {
          this.#ends = ends;
        },
        () => {}, // lag is unknown while the log cannot be asked; reading itself reports failures
      );
    }
    this.#context.wake();
    this.#cancelTick = this.#context.clock.after(LOOK_EVERY_MS, () => this.#tick());
  }
}

function newest(batch: Batch, selection: Uint16Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const i of selection) max = Math.max(max, batch.times[i] as number);
  return max;
}

function envelopeRecords(bytes: Uint8Array): number | null {
  try {
    return readEnvelope(bytes).records;
  } catch {
    return null;
  }
}
