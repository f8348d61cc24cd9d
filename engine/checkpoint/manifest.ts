import type { CheckpointId, Generation } from '../base/brand.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { BlobRef } from './checkpoint-store.ts';

/**
 * Everything a job needs to go on from one checkpoint, self-describing. Stored as msgpack (manifest-codec.ts). Unknown fields are
 * kept out; `format` rises with every incompatible change.
 */
export interface Manifest {
  readonly format: 2;
  readonly job: string;
  /** Content hash of the job's bundle; `''` for a job that runs from its source. */
  readonly jobVersion: string;
  readonly id: CheckpointId;
  readonly generation: Generation;
  readonly kind: 'checkpoint' | 'savepoint';
  /** Wall clock, epoch ms. */
  readonly triggeredAt: number;
  readonly completedAt: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Of the job that wrote it, in graph order: what a new version is compared with. */
  readonly operators: readonly ManifestOperator[];
  /** One per stateful operator and subtask. */
  readonly snapshots: readonly SnapshotRef[];
  /** Of every source partition; also registered in the log, which is what keeps them from being trimmed. */
  readonly positions: readonly TopicPosition[];
  /**
   * Of every exactly-once sink: what must be committed, in order, also again after a restore. A sink has several, `seq` rising, when
   * checkpoints before this one were aborted: their staged output is committed with this one.
   */
  readonly sinks: readonly SinkCommit[];
}

export interface ManifestOperator {
  readonly id: string;
  readonly kind: string;
  readonly stateful: boolean;
  /** Fields that its state is keyed by; missing where a function gives the key, and of checkpoints before it was noted. */
  readonly keys?: readonly string[];
}

/** One subtask's snapshot of one operator (snapshot-codec.ts): a head, and every key group by itself. */
export interface SnapshotRef {
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  /** Watermark, idleness, items, broadcast state, key codec. */
  readonly head: BlobRange;
  /** Numbers rising. A group that did not change lies where an earlier checkpoint put it. */
  readonly groups: readonly GroupRange[];
}

/** Where stored bytes lie: these pieces, joined. */
export interface BlobRange {
  /** One, unless it is larger than a blob. */
  readonly pieces: readonly BlobPiece[];
  /** The joined pieces are one zstd frame. */
  readonly compressed: boolean;
}

export interface GroupRange extends BlobRange {
  readonly group: number;
}

export interface BlobPiece {
  readonly blob: BlobRef;
  readonly offset: number;
  readonly bytes: number;
}

/** One barrier's staged output of one sink. */
export interface SinkCommit {
  readonly operator: string;
  /** Made once when the sink first starts; survives restarts and rescaling. */
  readonly sinkId: string;
  /** Rises by one with every checkpoint of this sink. */
  readonly seq: number;
  /** One per subtask that staged something; plain msgpack-able data. */
  readonly committables: readonly unknown[];
}
