import type { ErrorCode } from '../base/errors.ts';
import type { Waiting } from '../runtime/operator.ts';
import type { TaskTimes } from '../runtime/task-time.ts';

/** Life of a job. `restarting` waits for its back-off; `finished`, `cancelled`, `stopped` and `failed` are final. */
export type JobState =
  | 'created'
  | 'starting'
  | 'restoring'
  | 'running'
  | 'restarting'
  | 'stopping'
  | 'cancelling'
  | 'finished'
  | 'stopped'
  | 'cancelled'
  | 'failed';

/** A running job as the admin API, the CLI and tests see it. All times epoch ms, all totals since the process started. */
export interface JobHandle {
  readonly name: string;
  readonly status: () => JobStatus;
  /** Ends without a last checkpoint; open windows keep what the latest checkpoint holds. Idempotent. */
  readonly cancel: () => Promise<void>;
  /** Stops sources, takes a last checkpoint (pinned as a savepoint when asked), commits sinks, ends. Returns its id, null when none could be taken. */
  readonly stop: (options?: StopOptions) => Promise<number | null>;
  /**
   * Goes on at another parallelism, from a checkpoint taken first; records that came after it are processed again, and count once. When the
   * new attempt fails before it completes a checkpoint, the job goes back to the old parallelism.
   * @throws MR_GRAPH_INVALID, MR_CHECKPOINT_FAILED when the job does not run
   */
  readonly rescale: (parallelism: number) => Promise<RescaleEntry>;
  /** Takes a savepoint without stopping. */
  readonly savepoint: () => Promise<number>;
  /** From the next tick on. @throws MR_CONFIG_INVALID below 100 ms or above 1 day */
  readonly setCheckpointInterval: (ms: number) => void;
  /** Calls `listener` after each state change or completed checkpoint; returns how to stop that. */
  readonly onChange: (listener: () => void) => () => void;
  /** Resolves when the job has reached a final state. */
  readonly done: Promise<JobState>;
}

export interface StopOptions {
  /** Pins the last checkpoint as a savepoint. Default false. */
  readonly savepoint?: boolean;
  /** Ends event time first: windows and timers give what they have. For a job that will not go on. Default false. */
  readonly drain?: boolean;
}

export interface JobStatus {
  readonly name: string;
  readonly state: JobState;
  readonly generation: number;
  readonly startedAt: number;
  readonly stateSince: number;
  readonly restarts: number;
  readonly checkpointIntervalMs: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Newest first, at most LIMITS.failuresKept. */
  readonly failures: readonly JobFailure[];
  readonly operators: readonly OperatorStatus[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly kind: 'forward' | 'hash' | 'broadcast' | 'rebalance';
  }[];
  /** One per subtask of each vertex (operators that run together), named by its first operator. */
  readonly subtasks: readonly SubtaskStatus[];
  readonly sources: readonly SourceStatus[];
  readonly sinks: readonly SinkStatus[];
  readonly checkpoints: CheckpointsStatus;
  /** Newest first, at most LIMITS.historyEntriesMax. */
  readonly rescales: readonly RescaleEntry[];
}

export interface JobFailure {
  readonly at: number;
  readonly code: ErrorCode | 'UNKNOWN';
  readonly message: string;
  readonly operator: string | null;
  readonly subtask: number | null;
  /** Where a source was when the record came of it, as far as it is known. */
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly generation: number;
}

/** One change of a job's parallelism. Times in ms. */
export interface RescaleEntry {
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly outcome: 'completed' | 'rolled-back' | 'failed';
  /** Taking the checkpoint that the new attempt starts from; records are processed meanwhile. */
  readonly checkpointMs: number;
  /** From the end of the old attempt to the first round of the new one: no record is processed. */
  readonly downtimeMs: number;
  /** Why it was rolled back or failed. */
  readonly failure: string | null;
}

/** Sums over the subtasks of this attempt, their times included; watermark is the minimum (null: none yet). */
export interface OperatorStatus extends TaskTimes {
  readonly id: string;
  readonly kind: string;
  /** First of the operators that it runs together with: its subtasks, and their times, are theirs. */
  readonly vertex: string;
  readonly parallelism: number;
  readonly recordsIn: number;
  readonly recordsOut: number;
  readonly lateRecords: number;
  readonly deadLetters: number;
  readonly watermark: number | null;
  /** The same per input, in the order of the job's edges. */
  readonly inputWatermarks: readonly (number | null)[];
  /** The earliest output that needs no new record, and how many there are; null when none. */
  readonly waiting: Waiting | null;
  /** Keys, timers and bytes of live state; 0 for stateless operators. */
  readonly stateKeys: number;
  readonly timers: number;
}

/** Where a subtask runs, and what it spends its time on in this attempt. */
export interface SubtaskStatus extends TaskTimes {
  /** Id of the vertex' first operator. */
  readonly id: string;
  readonly subtask: number;
  readonly host: number;
}

export interface SourceStatus {
  readonly operator: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Records not yet read; null while unknown. */
  readonly lagRecords: number | null;
  /** Now minus the event time of the newest record read, ms; 0 at the head; null while unknown. */
  readonly lagMs: number | null;
  readonly watermark: number | null;
  readonly idle: boolean;
  /** Held back by alignment until the slower partitions of its group have caught up. */
  readonly paused: boolean;
  readonly recordsRead: number;
  readonly bytesRead: number;
}

export interface SinkStatus {
  readonly operator: string;
  readonly kind: string;
  readonly target: string;
  readonly guarantee: 'exactly-once' | 'idempotent';
  /** What writers and committer report, summed by name. */
  readonly stats: Readonly<Record<string, number>>;
}

export interface CheckpointsStatus {
  readonly completed: number;
  readonly failed: number;
  readonly inProgress: number | null;
  readonly restoredFrom: number | null;
  /** Newest first, at most LIMITS.historyEntriesMax. */
  readonly history: readonly CheckpointEntry[];
}

export interface CheckpointEntry {
  readonly id: number;
  readonly kind: 'checkpoint' | 'savepoint';
  readonly outcome: 'completed' | 'failed';
  readonly triggeredAt: number;
  readonly durationMs: number;
  readonly stateBytes: number;
  /** Stored anew; the rest of the state is referred to. */
  readonly writtenBytes: number;
  /** At the subtask that waited longest from its first barrier to its last. */
  readonly alignmentMs: number;
  /** At the host that took longest: no record was processed meanwhile. */
  readonly syncMs: number;
  readonly failure: string | null;
}
