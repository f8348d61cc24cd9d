import type { CheckpointId, Generation } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';
import type { Batch } from '../wire/batch.ts';

/**
 * What a sink promises, part of its type:
 * `exactly-once` – rows become visible with the checkpoint that covers them, once;
 * `idempotent` – written through at once as keyed upserts fenced by generation; a replay rewrites the same values.
 */
export type Guarantee = 'exactly-once' | 'idempotent';

/** A place that results go to: a value made by `timeSeries(…)`, `iceberg(…)`, `partitionLog(…)`. `In` is what it takes. */
export interface Sink<in In, out G extends Guarantee = Guarantee> {
  /** Short kind for graphs and metrics, e.g. `iceberg`. */
  readonly kind: string;
  readonly guarantee: G;
  /** What it writes to, for people: `curated.readings`. */
  readonly target: string;
  /** Called once per subtask and attempt, before any row. Fences older generations before it resolves. */
  readonly openWriter: (context: SinkContext) => Promise<SinkWriter<In>>;
  /** Exactly-once sinks: called once per attempt; commits what checkpoints have made final. */
  readonly openCommitter?: (context: SinkContext) => Promise<SinkCommitter>;
}

export interface SinkContext {
  readonly job: string;
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly generation: Generation;
  /** Stable id of this sink of this job, kept in its checkpoints (SinkCommit.sinkId). */
  readonly sinkId: string;
  /**
   * Number of the interval up to the next barrier. The interval after the barrier of checkpoint c has number c + 1: numbers rise, with gaps,
   * and after a restore of checkpoint c everything numbered higher than c comes again.
   */
  readonly nextSeq: number;
  /** Writers: nothing restores what is before the interval after this checkpoint (the last completed one but one). 0: not known. */
  readonly undoFloor: () => CheckpointId;
  readonly namespace: string;
  /** The job's own Redis, for sinks that write there unless told otherwise. */
  readonly redisUrl?: string;
  /** How connections to Redis are opened. Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
  readonly log: PartitionLog;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted when the attempt ends; open I/O must give up. */
  readonly signal: AbortSignal;
  /** Names kill points of crash tests; does nothing otherwise. */
  readonly killPoint: (name: string) => void;
  /** A row the target refuses for good goes to the job's dead letters; call at most once per row. */
  readonly deadLetter: (row: unknown, reason: string) => void;
}

/** Rows on their way to a sink: columns when they come straight from a source, plain rows otherwise. */
export type SinkInput<T> =
  | {
      readonly kind: 'rows';
      readonly rows: readonly T[] /** event time of each row, epoch ms */;
      readonly times: Float64Array;
    }
  | {
      readonly kind: 'columns';
      readonly batch: Batch<T> /** indices of the rows meant, ascending; null = all */;
      readonly selection: Uint16Array | null;
    };

/**
 * One subtask's end of a sink.
 * SW1 `write` never throws away a row: it is buffered, written, or the promise rejects.
 * SW2 `prepareCommit` seals synchronously: rows written after the call belong to the next checkpoint. It may resolve later.
 */
export interface SinkWriter<in In> {
  /** Takes rows. A returned promise is backpressure: nothing more is written until it resolves; a rejection fails the attempt. */
  readonly write: (input: SinkInput<In>) => void | Promise<void>;
  /**
   * At barrier `checkpoint`: everything written before is staged (exactly-once) or acknowledged by the target (idempotent)
   * when this resolves. Resolves to a committable (plain msgpack-able data), or null for nothing. A checkpoint may be given up: what
   * was staged for it is then committed with the next one.
   */
  readonly prepareCommit: (checkpoint: CheckpointId) => Promise<unknown>;
  /** Event time has reached `watermark` (epoch ms) for everything written so far. */
  readonly onWatermark?: (watermark: number) => void;
  /** Totals of this attempt for status and metrics, e.g. `{ rowsWritten, bytesWritten, retries }`. */
  readonly stats?: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

/** Commits in order of `seq` (the number of the barrier that closed what is committed), idempotently per (sinkId, seq): SC1 committing the same (sinkId, seq) again changes nothing. */
export interface SinkCommitter {
  /**
   * Called once on restore, before any sink commits: throws MR_LOG_ROLLED_BACK when what the restored checkpoint names is not there any
   * more. It is not restored then, while nothing of it is final yet.
   */
  readonly check?: (pending: readonly SinkCommitRequest[]) => Promise<void>;
  /** @throws to have the attempt fail and restore, which commits again. Must bound its own retries. */
  readonly commit: (commit: SinkCommitRequest) => Promise<void>;
  /**
   * Called once on restore, before sources start, with what the restored checkpoint names, lowest seq first (maybe empty). Commits
   * what is missing and throws MR_SINK_AHEAD when the target has committed beyond `restoredSeq` (an older checkpoint was restored).
   */
  readonly recover: (pending: readonly SinkCommitRequest[], restoredSeq: number) => Promise<void>;
  /** Totals for status and metrics, e.g. `{ rowsCommitted, filesCommitted, conflicts }`. */
  readonly stats?: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

export interface SinkCommitRequest {
  readonly seq: number;
  readonly checkpoint: CheckpointId;
  readonly committables: readonly unknown[];
}
