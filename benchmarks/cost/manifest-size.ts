import { type BlobRange, type Manifest } from '../../engine/checkpoint/manifest.ts';
import { encodeManifest } from '../../engine/checkpoint/manifest-codec.ts';
import { checkpointId, generation } from '../../engine/base/brand.ts';

/** Operators with state in the main job. */
const OPERATORS = ['readings', 'per-device', 'enrich', 'out', 'lake'];
const CHANGED_BLOB_BYTES = 200_000;

/** Bytes of the manifest of a job of that many slots, with all key groups of every operator in one blob per slot. */
export function manifestBytes(slots: number, maxParallelism: number): number {
  const rangeIn = (operator: string, subtask: number, offset: number): BlobRange => {
    const blob = { key: `7:1234:${operator}.${subtask}`, bytes: CHANGED_BLOB_BYTES, crc: 0xdeadbeef };
    return { pieces: [{ blob, offset, bytes: 1_500 }], compressed: true };
  };
  const groupsOf = (subtask: number) =>
    Array.from({ length: maxParallelism }, (_, group) => group).filter(
      (group) => Math.floor((group * slots) / maxParallelism) === subtask,
    );
  const snapshots = OPERATORS.flatMap((operator) =>
    Array.from({ length: slots }, (_, subtask) => ({
      operator,
      subtask,
      parallelism: slots,
      head: rangeIn(operator, subtask, 0),
      groups: groupsOf(subtask).map((group, i) => ({
        group,
        ...rangeIn(operator, subtask, 1_500 * (i + 1)),
      })),
    })),
  );
  const manifest: Manifest = {
    format: 2,
    job: 'device-telemetry',
    jobVersion: '0'.repeat(64),
    id: checkpointId(1_234),
    generation: generation(7),
    kind: 'checkpoint',
    triggeredAt: 1_700_000_000_000,
    completedAt: 1_700_000_000_250,
    parallelism: slots,
    maxParallelism,
    operators: OPERATORS.map((id) => ({ id, kind: 'operator', stateful: true })),
    snapshots,
    positions: [],
    sinks: [],
  };
  return encodeManifest(manifest).length;
}
