import type { Offset } from '../base/brand.ts';
import type { PartitionedBy } from '../key/key-partitioner.ts';
import type { Schema, SchemaId } from '../wire/schema.ts';

/**
 * The partition log: ordered, durable partitions of frames, each record at a dense offset. This file is the contract;
 * redis-partition-log.ts keeps it on Redis Streams, memory-partition-log.ts in memory, and one contract suite runs on both.
 */
export interface PartitionLog {
  /** Creates the topic, or checks that an existing one has the same partitions and, where one is asked for, the same partitioner.
   * Registers the schema. Idempotent.
   * @throws MR_LOG_TOPIC_MISMATCH when it exists with another partition count, or its records find their partition otherwise. */
  readonly createTopic: (name: string, options: TopicOptions) => Promise<Topic>;
  /** The topic, or null. */
  readonly topic: (name: string) => Promise<Topic | null>;
  /** A schema by its content id, or null. */
  readonly schema: (id: SchemaId) => Promise<Schema | null>;
  /** Makes a schema known. Idempotent. */
  readonly registerSchema: (schema: Schema) => Promise<void>;

  /**
   * Appends one encoded stored frame at the end of a partition, exactly once: sequence and producer are in its
   * envelope. Retrying the same frame is safe. Resolves after the server's answer.
   * @throws MR_LOG_FRAME_OVER_QUOTA when the frame can never fit; MR_FRAME_* when it is not a frame; MR_LOG_NO_TOPIC.
   */
  readonly append: (topic: string, partition: number, frame: Uint8Array) => Promise<AppendResult>;
  /** What the partition knows of a producer: where its next frame must start. Null when it knows nothing. */
  readonly producerState: (
    topic: string,
    partition: number,
    producer: string,
  ) => Promise<ProducerState | null>;

  /** A reader of some partitions from given positions; reads ahead in the background, bounded. */
  readonly openReader: (options: ReaderOptions) => Promise<LogReader>;
  /** Where a new reader may start. */
  readonly position: (topic: string, partition: number, where: 'earliest' | 'latest') => Promise<Position>;
  /** End, trimmed start and bytes of every partition. O(partitions). */
  readonly ends: (topic: string) => Promise<readonly PartitionEnds[]>;

  /**
   * Notes that `job` may come back to these positions; trimming keeps everything from the lowest registered one on.
   * Fenced: a lower generation than the registered one is refused. Resolves when stored.
   * @throws MR_CHECKPOINT_FENCED
   */
  readonly registerPositions: (
    job: string,
    generation: number,
    positions: readonly TopicPosition[],
  ) => Promise<void>;
  readonly unregisterJob: (job: string, topic: string) => Promise<void>;
  /** Drops what no registered job needs (monotone); without registered jobs, what retention allows. Returns records dropped. */
  readonly trim: (topic: string, partition: number) => Promise<number>;

  /** Stages frames of one sink's commit beside a partition, invisible to readers. `part` 0, 1, … appends to the same stage;
   * part 0 replaces whatever an earlier attempt left under (sinkId, seq). A part sent twice is staged once.
   * @throws MR_SINK_FENCED; MR_SINK_AHEAD when (sinkId, seq) is committed; MR_LOG_FULL, staged bytes count against the quota;
   * MR_SINK_FAILED beyond LIMITS.stageBytesMax; MR_LOG_GAP when a part before it is missing */
  readonly stage: (target: StageTarget, part: number, frames: readonly Uint8Array[]) => Promise<void>;
  /** Throws unless a stage is there with all of its parts, or is committed. @throws MR_LOG_ROLLED_BACK */
  readonly assertStaged: (target: StageTarget, parts: number) => Promise<void>;
  /** Makes a stage visible at the end of the partition, once per (sinkId, seq); `already` when it was. Up to LIMITS.stageCommitBytes
   * it appears as one; a larger stage appears in order, in steps, and a commit cut short goes on where it stopped.
   * @param after what was committed to this partition before, which must still be
   * @throws MR_LOG_ROLLED_BACK when there is no such stage; MR_CHECKPOINT_NOT_DURABLE when `after` got lost */
  readonly commitStage: (target: StageTarget, after?: StageTarget) => Promise<'committed' | 'already'>;
  /** Ids of the sinks that have anything staged beside a partition. */
  readonly stagedSinks: (topic: string, partition: number) => Promise<readonly string[]>;
  /** Deletes stages of `sinkId` with seq > `afterSeq` (left by attempts that never published), and fences off lower generations.
   * @throws MR_SINK_FENCED */
  readonly dropStages: (target: Omit<StageTarget, 'seq'>, afterSeq: number) => Promise<void>;

  /** Waits until all earlier writes to this log are as durable as declared. @throws MR_CHECKPOINT_NOT_DURABLE */
  readonly confirmDurable: () => Promise<void>;
  /** How often a server with another history was found, by whichever caller: who shares this log compares it. Missing: never. */
  readonly historyChanges?: () => number;
  readonly close: () => Promise<void>;
}

export interface TopicOptions {
  /** 1 … 1024 */
  readonly partitions: number;
  readonly schema: Schema;
  /** What all its producers promise: each record lies where this partitioner puts it. Default: nothing is known. */
  readonly partitionedBy?: PartitionedBy;
  /** Stored bytes per partition before appends answer `full`. Default 256 MiB. */
  readonly quotaBytes?: number;
  /** With no registered job: how much to keep. Default: everything, up to the quota. */
  readonly retention?: { readonly bytes?: number; readonly ageMs?: number };
}

export interface Topic {
  readonly name: string;
  readonly partitions: number;
  readonly schema: Schema;
  /** Null: a record may lie in any partition. */
  readonly partitionedBy: PartitionedBy | null;
  readonly quotaBytes: number;
  readonly retention: { readonly bytes?: number; readonly ageMs?: number };
}

export type AppendResult =
  | { readonly kind: 'ok' /** offset of the frame's first record */; readonly offset: Offset }
  /** The partition already has it; nothing was written. */
  | { readonly kind: 'duplicate'; readonly last: number }
  /** Its predecessor is missing; send from `expected` (the sequence after the last one stored) on. */
  | { readonly kind: 'gap'; readonly expected: number }
  /** A newer epoch of this producer has written. */
  | { readonly kind: 'fenced'; readonly epoch: number }
  /** Byte quota; try again later. */
  | { readonly kind: 'full'; readonly bytes: number; readonly quotaBytes: number };

export interface ProducerState {
  readonly epoch: number;
  /** Last stored sequence. */
  readonly last: number;
}

/**
 * Where a reader stands: the next expected offset, and the running digest (hex, '' at the very start) of everything before
 * it. The digest of a position after a frame is `sha1(previous digest + the frame's CRC as 8 hex digits)`, first 16 hex digits;
 * every entry stores the digest before it, so a log that was rolled back and rewritten cannot be mistaken for the one that was read.
 */
export interface Position {
  readonly offset: Offset;
  readonly chain: string;
}

export interface TopicPosition extends Position {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionEnds {
  readonly partition: number;
  /** Offset of the first record still there. */
  readonly start: Offset;
  /** Offset the next record will get. */
  readonly end: Offset;
  readonly bytes: number;
}

export interface ReaderOptions {
  readonly topic: string;
  /** Partition → where to start. */
  readonly positions: ReadonlyMap<number, Position>;
  readonly framesAheadMax?: number;
}

/** One stored frame as read, checked against the chain but not decoded. */
export interface StoredFrame {
  readonly partition: number;
  /** Position before the frame. */
  readonly offset: Offset;
  /** Position after the frame. */
  readonly next: Position;
  /** The whole frame; owned by the receiver, starts at an 8-byte boundary of its buffer. */
  readonly bytes: Uint8Array;
}

/** Reads frames in offset order per partition. `take` is synchronous; I/O happens in the background. */
export interface LogReader {
  /** The next frame that has been read ahead, round robin over partitions, or null. */
  readonly take: () => StoredFrame | null;
  /** While a partition is paused `take` and `ready` pass it over; what is read ahead of it stays bounded. */
  readonly pause: (partition: number, paused: boolean) => void;
  /** Resolves when `take` may give something, or the reader has failed; spurious wake-ups are allowed. */
  readonly ready: () => Promise<void>;
  /** True when the last look at the partition found nothing beyond what `take` has given, and the look is younger than `maxAgeMs`. */
  readonly atHead: (partition: number, maxAgeMs: number) => boolean;
  /** Set when reading cannot go on: MR_LOG_ROLLED_BACK, MR_LOG_TRIMMED, MR_REDIS_UNAVAILABLE. */
  readonly failure: Error | null;
  readonly close: () => Promise<void>;
}

export interface StageTarget {
  readonly topic: string;
  readonly partition: number;
  readonly sinkId: string;
  /** Rises by one with every barrier of the sink. */
  readonly seq: number;
  /** Attempt of the job that stages. Once a higher one has staged or dropped, a lower one is refused. Default 0: no fence. */
  readonly generation?: number;
}
