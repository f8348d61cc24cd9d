import { type CheckpointId, checkpointId, offset } from '../../engine/base/brand.ts';
import type { BlobRef, Ownership } from '../../engine/checkpoint/checkpoint-store.ts';
import type { BlobRange, Manifest, SinkCommit } from '../../engine/checkpoint/manifest.ts';
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
    format: 2,
    job: ownership.job,
    jobVersion: 'v1',
    id: checkpointId(id),
    generation: ownership.generation,
    kind: parts.kind ?? 'checkpoint',
    triggeredAt: 1_700_000_000_000,
    completedAt: 1_700_000_000_250,
    parallelism: 1,
    maxParallelism: 128,
    operators: [{ id: 'per-device', kind: 'window-aggregate', stateful: true }],
    snapshots: [
      { operator: 'per-device', subtask: 0, parallelism: 1, head: wholly(parts.blobs ?? []), groups: [] },
    ],
    positions: parts.positions ?? [positionAt('telemetry', 0, 42, 'c0ffee')],
    sinks: parts.sinks ?? [],
  };
}

/** All bytes of some blobs. */
function wholly(blobs: readonly BlobRef[]): BlobRange {
  return { pieces: blobs.map((blob) => ({ blob, offset: 0, bytes: blob.bytes })), compressed: false };
}

export function positionAt(topic: string, partition: number, at: number, chain = ''): TopicPosition {
  return { topic, partition, offset: offset(at), chain };
}
