import { randomUUID } from 'node:crypto';
import { pathOf, readTableFile, replaceFile } from './durable-file.ts';
import {
  decodeManifest,
  ENTRY_STATUS,
  encodeManifest,
  type Long,
  type ManifestContext,
  type ManifestEntry,
  type ManifestFile,
} from './manifest.ts';

export interface MergePolicy {
  /** Fewer manifests than this are left alone. */
  readonly mergeCount: number;
  /** A merged manifest does not grow beyond about this. */
  readonly targetBytes: number;
}

export interface MergeRequest extends MergePolicy {
  readonly location: string;
  /** The snapshot that will name the merged manifest. */
  readonly snapshotId: Long;
  readonly sequenceNumber: Long;
  readonly context: ManifestContext;
}

/**
 * Keeps the number of manifests small: once there are `mergeCount`, the small ones become one. Entries keep their own
 * snapshot ids and sequence numbers. Manifests of deletes, of other partition specs and of format v1 are left alone.
 */
export async function mergeManifests(
  manifests: readonly ManifestFile[],
  request: MergeRequest,
): Promise<{
  readonly manifests: readonly ManifestFile[] /** locations of new files */;
  readonly written: readonly string[];
}> {
  const chosen = mergeCandidates(manifests, request);
  if (chosen.length < 2) return { manifests, written: [] };
  const entries: ManifestEntry[] = [];
  for (const manifest of chosen) {
    for (const entry of await decodeManifest(await readTableFile(manifest.manifest_path), manifest)) {
      if (entry.status !== ENTRY_STATUS.deleted) entries.push({ ...entry, status: ENTRY_STATUS.existing });
    }
  }
  const location = `${request.location}/metadata/${randomUUID()}-m0.avro`;
  const { bytes, summary } = await encodeManifest(location, entries, request.context);
  await replaceFile(pathOf(location), bytes);
  const merged: ManifestFile = {
    ...summary,
    content: 0,
    sequence_number: request.sequenceNumber,
    min_sequence_number: entries
      .map((entry) => entry.sequence_number as Long)
      .reduce((a, b) => (a < b ? a : b)),
    added_snapshot_id: request.snapshotId,
  };
  return { manifests: [merged, ...manifests.filter((it) => !chosen.includes(it))], written: [location] };
}

/**
 * The smallest manifests, up to one that outweighs all smaller ones together: sizes then grow geometrically, and each entry is
 * rewritten a logarithmic number of times (as in a size-tiered log-structured merge).
 */
function mergeCandidates(manifests: readonly ManifestFile[], request: MergeRequest): readonly ManifestFile[] {
  const { context, mergeCount, targetBytes } = request;
  const eligible = manifests
    .filter(
      (it) => it.content === 0 && it.sequence_number > 0 && it.partition_spec_id === context.spec['spec-id'],
    )
    .filter((it) => it.deleted_files_count === 0 && it.manifest_length < targetBytes)
    .sort((a, b) => Number(a.manifest_length) - Number(b.manifest_length));
  if (eligible.length < mergeCount) return [];
  const chosen: ManifestFile[] = [];
  let bytes = 0;
  for (const manifest of eligible) {
    const length = Number(manifest.manifest_length);
    if (chosen.length > 1 && (length > bytes || bytes + length > targetBytes)) break;
    chosen.push(manifest);
    bytes += length;
  }
  return chosen;
}
