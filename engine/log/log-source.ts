import { errorCode, errorText, MillraceError } from '../base/errors.ts';
import { subtaskOf } from '../key/key-group.ts';
import type { Element } from '../runtime/channel.ts';
import type { Source, SourceContext, SourceReader, SourceSnapshot } from '../runtime/source.ts';
import { admitRecords } from '../source/future-records.ts';
import { LOOK_EVERY_MS, SourceTime } from '../source/source-time.ts';
import { PartitionClock, type PartitionClockState } from '../time/partition-clock.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import { ColumnsInUse } from '../wire/decoded-batch.ts';
import { decodeFrame, readEnvelope } from '../wire/frame.ts';
import type { Schema } from '../wire/schema.ts';
import { type DeclaredTopic, topicOptions } from './declared-topic.ts';
import { openTopic } from './open-topic.ts';
import type { LogReader, PartitionEnds, Position, StoredFrame } from './partition-log.ts';
import { checkTopic } from './topic-settings.ts';

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

/** How often lag is refreshed. */
const ENDS_EVERY_MS = 1_000;

/** Reads the partitions of a topic that belong to a subtask. */
async function openLogSource(declared: DeclaredTopic, context: SourceContext): Promise<SourceReader> {
  const { name: topic, schema, partitionedBy } = declared;
  const { subtask, parallelism } = context;
  const options = topicOptions({ ...declared, retention: null });
  // Checkpoints name positions: with one, the partitions were there.
  const made = context.restored.length > 0 ? await context.log.topic(topic) : null;
  const known = made ?? (await openTopic(context.log, topic, options));
  if (partitionedBy !== null) checkTopic(known, options);
  // In order where they hold key groups in order: a subtask then reads the groups that it owns.
  const mine = Array.from({ length: known.partitions }, (_, p) => p).filter((p) =>
    partitionedBy === null
      ? p % parallelism === subtask
      : subtaskOf(p, parallelism, known.partitions) === subtask,
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
export function logSource<Row>(declared: DeclaredTopic<Row>): Source<Row> {
  const { name, partitions, partitionedBy } = declared;
  return {
    kind: 'partition-log',
    target: name,
    ...(partitionedBy === null ? {} : { partitioned: { by: partitionedBy, partitions } }),
    open: (context) => openLogSource(declared, context),
  };
}

/**
 * Turns stored frames into batches and watermarks.
 *
 * LS1 positions and event time change only in `poll`, together with the batch that they belong to (SR2).
 * LS2 a record further ahead than `maxAheadMs` moves no watermark and goes to dead letters.
 * LS3 restored event time is that of the partition that lags most; none is left out until it proves idle again (ET1).
 * LS4 a partition that alignment has paused is not taken from; what is read ahead of it stays bounded by the reader.
 */
class LogSourceReader implements SourceReader {
  readonly #topic: string;
  readonly #schema: Schema;
  readonly #partitions: readonly Partition[];
  readonly #reader: LogReader;
  readonly #context: SourceContext;
  readonly #time: SourceTime;
  readonly #inUse = new ColumnsInUse();
  #given: ReturnType<NonNullable<SourceReader['given']>> = null;
  #waiting = false;
  #closed = false;
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
    this.#time = new SourceTime(
      partitions.map(({ clock }) => clock),
      context,
    );
    this.#tick();
  }

  poll(): Element | null {
    const signal = this.#time.shift();
    if (signal !== null) return signal;
    for (const [channel, { partition }] of this.#partitions.entries())
      this.#reader.pause(partition, this.#time.paused(channel));
    const frame = this.#reader.take();
    if (frame !== null) return this.#take(frame);
    if (this.#reader.failure !== null) throw this.#reader.failure;
    this.#time.look((channel) =>
      this.#reader.atHead((this.#partitions[channel] as Partition).partition, LOOK_EVERY_MS * 10),
    );
    if (!this.#waiting) {
      this.#waiting = true;
      void this.#reader.ready().then(() => {
        this.#waiting = false;
        this.#context.wake();
      });
    }
    return this.#time.shift();
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

  given(): ReturnType<NonNullable<SourceReader['given']>> {
    return this.#given;
  }

  status(): ReturnType<SourceReader['status']> {
    const nowMs = this.#context.clock.now();
    return this.#partitions.map((p, channel) => {
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

  #take(frame: StoredFrame): Element | null {
    const channel = this.#partitions.findIndex((p) => p.partition === frame.partition);
    const partition = this.#partitions[channel] as Partition;
    partition.position = frame.next;
    this.#given = { topic: this.#topic, partition: frame.partition, offset: frame.offset };
    partition.bytes += frame.bytes.length;
    const decoded = this.#decode(frame);
    if (decoded === null) return this.#nothingOf();
    const { batch, envelope } = decoded;
    partition.records += batch.count;
    this.#time.active();
    const { selection, newestMs } = admitRecords(batch, envelope.maxTime, this.#context);
    partition.newestMs = newestMs;
    if (newestMs > Number.NEGATIVE_INFINITY)
      this.#time.observe(channel, envelope.producer, newestMs, envelope.watermark);
    if (selection !== null && selection.length === 0) return this.#nothingOf();
    return { kind: 'records', records: { kind: 'columns', batch, selection } };
  }

  /** A frame left nothing to hand on, but others may wait behind it. */
  #nothingOf(): Element | null {
    this.#context.wake();
    return this.#time.shift();
  }

  /** A frame that cannot be read goes to dead letters whole, if the job says so (it throws otherwise). */
  #decode(frame: StoredFrame): ReturnType<typeof decodeFrame> | null {
    try {
      return decodeFrame(
        frame.bytes,
        (id) => (id === this.#schema.id ? this.#schema : undefined),
        this.#inUse,
      );
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

function envelopeRecords(bytes: Uint8Array): number | null {
  try {
    return readEnvelope(bytes).records;
  } catch {
    return null;
  }
}
