import type { CheckpointId, Generation } from '../base/brand.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { BlobRef } from './checkpoint-store.ts';

/**
 * Everything a job needs to go on from one checkpoint, self-describing. Stored as msgpack. Unknown fields are kept out;
 * `format` rises with every incompatible change.
 */
export interface Manifest {
  readonly format: 1;
  readonly job: string;
  readonly id: CheckpointId;
  readonly generation: Generation;
  readonly kind: 'checkpoint' | 'savepoint';
  /** Wall clock, epoch ms. */
  readonly triggeredAt: number;
  readonly completedAt: number;
  readonly maxParallelism: number;
  /** One per stateful operator and subtask. */
  readonly snapshots: readonly SnapshotRef[];
  /** Of every source partition; also registered in the log, which is what keeps them from being trimmed. */
  readonly positions: readonly TopicPosition[];
  /** Of every exactly-once sink: what must be committed, in order, also again after a restore. */
  readonly sinks: readonly SinkCommit[];
}

/** One subtask's snapshot of one operator. */
export interface SnapshotRef {
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  /** Blobs that, joined, are the snapshot's bytes (snapshot-codec.ts). */
  readonly blobs: readonly BlobRef[];
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
