import type { Clock } from '../base/clock.ts';
import type { PartitionedBy } from '../key/key-partitioner.ts';
import type { PartitionLog, TopicPosition } from '../log/partition-log.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';
import type { SourceStatus } from '../coordinator/job-status.ts';
import type { AlignmentOptions, WatermarkAlignment } from '../source/watermark-alignment.ts';
import type { Element } from './channel.ts';

/** A place that records come from: a value made by `partitionLog(…)` or `collection(…)`. `Row` is what it gives. */
export interface Source<out Row> {
  readonly kind: string;
  /** What it reads, for people. */
  readonly target: string;
  readonly open: (context: SourceContext) => Promise<SourceReader>;
  /**
   * Its records lie in partitions by this partitioner, and partition q is read by subtask `floor(q × parallelism / partitions)`: where
   * parallelism divides `partitions`, each subtask gives the records of its own key groups. Missing: nothing is known.
   */
  readonly partitioned?: { readonly by: PartitionedBy; readonly partitions: number };
  readonly row?: Row;
}

export interface SourceContext {
  readonly job: string;
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly log: PartitionLog;
  /** The job's own Redis, for sources that read there unless told otherwise. */
  readonly redisUrl?: string | undefined;
  /** How connections to Redis are opened. Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
  /** Shared by all sources of the attempt; without it a source aligns its own partitions only. */
  readonly alignment?: WatermarkAlignment;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly options: SourceOptions;
  /** What earlier attempts' snapshots held, of all subtasks; the reader picks what it now owns. Empty on a fresh start. */
  readonly restored: readonly unknown[];
  /** A record that must not enter the job, e.g. from the future; always goes to dead letters. */
  readonly deadLetter: (row: unknown, reason: string, time: number) => void;
  /** Input that cannot be read: goes to dead letters as it is, or throws `error`, as the job declares (`onError`). */
  readonly unreadable: (error: Error, input: unknown) => void;
  /** Asks for a turn: something has arrived. */
  readonly wake: () => void;
}

export interface SourceOptions {
  /** How far behind the newest event time a record may still be on time, ms. */
  readonly outOfOrdernessMs: number;
  /** At the head of the partition and quiet for this long, a partition (or producer) is not waited for, ms. */
  readonly idleAfterMs: number;
  /** Timestamps further than this beyond the wall clock do not move event time and go to dead letters, ms. */
  readonly maxAheadMs: number;
  /** Where a fresh job starts. */
  readonly startFrom: 'earliest' | 'latest';
  /** Keeps the source's partitions within a drift of those of its group. Default null: each is read as fast as it goes. */
  readonly alignment?: AlignmentOptions | null;
}

/**
 * One subtask's end of a source.
 * SR1 `poll` is synchronous; reading ahead happens in the background, bounded.
 * SR2 `snapshot` between two polls describes exactly the records given so far.
 */
export interface SourceReader {
  /** The next element, or null when nothing has arrived. Throws when reading cannot go on. Never gives a barrier. */
  readonly poll: () => Element | null;
  readonly snapshot: () => SourceSnapshot;
  /** Where what `poll` gave last begins; null or missing when that is not known. For failure reports. */
  readonly given?: () => {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
  } | null;
  readonly status: () => readonly Omit<SourceStatus, 'operator'>[];
  readonly close: () => Promise<void>;
}

export interface SourceSnapshot {
  /** One item per partition: plain data that `restored` gets back. */
  readonly items: readonly unknown[];
  /** Log positions to hold and to register. */
  readonly positions: readonly TopicPosition[];
}
