import type { CheckpointId, Generation } from '../base/brand.ts';
import type { SnapshotRef } from '../checkpoint/manifest.ts';
import type { SourceStatus } from '../coordinator/job-status.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { Waiting } from '../runtime/operator.ts';
import type { LowestByGroup } from '../source/watermark-alignment.ts';
import type { TaskTimes } from '../runtime/task-time.ts';

/*
 * What a coordinator and the hosts of one attempt say to each other. All of it is plain, msgpack-able data, so that a host may be in the
 * coordinator's thread, in another thread, or in another process.
 *
 * A slot is one subtask of every vertex; slot s runs subtask s. A host runs some of an attempt's slots in one thread.
 */

/** What one host is to run. */
export interface HostDeployment {
  readonly job: string;
  readonly token: string;
  readonly generation: Generation;
  readonly parallelism: number;
  /** Number of this host in `places`. */
  readonly host: number;
  /** Per slot, the host that runs it. */
  readonly places: readonly number[];
  /** The checkpoint that it begins from; intervals of sinks are numbered from it. */
  readonly begins: CheckpointId;
  /** There is nothing in it to restore: it is the one that a fresh job is about to start with. */
  readonly isFresh: boolean;
  /** Per sink, its id in checkpoints and targets. */
  readonly sinkIds: Readonly<Record<string, string>>;
  /** Records that have failed too many attempts: they go to dead letters when they fail again (RecordFingerprint). */
  readonly poisoned: readonly string[];
}

/** Where one source subtask begins on a fresh start. */
export interface SourceStart {
  readonly operator: string;
  readonly subtask: number;
  readonly items: readonly unknown[];
  readonly positions: readonly TopicPosition[];
}

/** What a host hands in for one barrier. */
export interface HostAcknowledgement {
  readonly checkpoint: CheckpointId;
  readonly snapshots: readonly SnapshotRef[];
  readonly positions: readonly TopicPosition[];
  /** Also of earlier barriers whose checkpoints are not known to be complete, lowest first. */
  readonly staged: readonly StagedOutput[];
  readonly stateBytes: number;
  /** Stored for this checkpoint; the rest of `stateBytes` is referred to. */
  readonly writtenBytes: number;
  /** From the first barrier to the last one at the subtask that waited longest. */
  readonly alignmentMs: number;
  /** Taking the snapshots, all subtasks of this host together: no record was processed meanwhile. */
  readonly syncMs: number;
}

/** What a subtask of a sink, or several, staged at one barrier. */
export interface StagedOutput {
  readonly operator: string;
  readonly checkpoint: CheckpointId;
  readonly committables: readonly unknown[];
}

/** Figures of one host, taken together at one moment. */
export interface HostStatus {
  readonly members: readonly MemberStatus[];
  readonly tasks: readonly TaskStatus[];
  readonly sources: readonly SourceStatus[];
  readonly sinks: readonly { readonly operator: string; readonly stats: Readonly<Record<string, number>> }[];
  /** Lowest watermarks of its aligned sources; missing where it has none. */
  readonly alignment?: LowestByGroup;
}

/** One subtask of one operator. Totals of this attempt. */
export interface MemberStatus {
  readonly id: string;
  readonly subtask: number;
  readonly recordsIn: number;
  readonly recordsOut: number;
  readonly deadLetters: number;
  readonly lateRecords: number;
  readonly keys: number;
  readonly timers: number;
  /** Per input; MIN_WATERMARK before the first. */
  readonly watermarks: readonly number[];
  readonly waiting: Waiting | null;
}

/** One subtask of one vertex. */
export interface TaskStatus extends TaskTimes {
  /** Id of the vertex' first operator. */
  readonly id: string;
  readonly subtask: number;
}

/** The coordinator's end of one host. */
export interface HostHandle {
  /** Where its sources begin; what a fresh job's first checkpoint is made of. */
  readonly starts: readonly SourceStart[];
  /** Begins to process. Resolves when every task has ended or {@link stop} was called; rejects with the first failure. Call once. */
  readonly run: () => Promise<'ended' | 'stopped'>;
  /** Sends a barrier through its sources; resolves when all of its subtasks have handed in what they have. Rejects: declined. */
  readonly checkpoint: (id: CheckpointId) => Promise<HostAcknowledgement>;
  /** The checkpoint will not be completed: whoever aligns or writes for it stops. */
  readonly abort: (id: CheckpointId) => void;
  /** The checkpoint is published and its output committed. */
  readonly completed: (id: CheckpointId) => void;
  /** Takes no more input. With `drain` event time ends, so that windows and timers give what they have, and tasks end. */
  readonly stopSources: (drain: boolean) => void;
  readonly stop: () => void;
  /** What the attempt's other hosts have reached, for sources that are aligned. */
  readonly align: (lowestElsewhere: LowestByGroup) => void;
  /** As of now, or (from elsewhere) of the last report. */
  readonly status: () => HostStatus;
  /** Lets go of everything; what waits for it is rejected. */
  readonly close: () => Promise<void>;
}
