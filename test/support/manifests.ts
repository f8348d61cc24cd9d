import { type CheckpointId, checkpointId, offset } from '../../engine/base/brand.ts';
import type { BlobRef, Ownership } from '../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest, SinkCommit } from '../../engine/checkpoint/manifest.ts';
import type { TopicPosition } from '../../engine/log/partition-log.ts';

export interface ManifestParts {
  readonly kind?: Manifest['kind'];
  readonly blobs?: readonly BlobRef[];
  readonly positions?: readonly TopicPosition[];
  readonly sinks?: readonly SinkCommit[];
}

/** A complete manifest around the parts that a test is about. */
export function manifestOf(
  ownership: Ownership,
  id: CheckpointId | number,
  parts: ManifestParts = {},
): Manifest {
  return {
    format: 1,
    job: ownership.job,
    id: checkpointId(id),
    generation: ownership.generation,
    kind: parts.kind ?? 'checkpoint',
    triggeredAt: 1_700_000_000_000,
    completedAt: 1_700_000_000_250,
    maxParallelism: 128,
    snapshots: [{ operator: 'per-device', subtask: 0, parallelism: 1, blobs: parts.blobs ?? [] }],
    positions: parts.positions ?? [positionAt('telemetry', 0, 42, 'c0ffee')],
    sinks: parts.sinks ?? [],
  };
}

export function positionAt(topic: string, partition: number, at: number, chain = ''): TopicPosition {
  return { topic, partition, offset: offset(at), chain };
}
