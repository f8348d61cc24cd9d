/**
 * Snapshot expiry (Iceberg spec, "Snapshot Retention Policy"): choosing is pure, deleting happens after the metadata that dropped
 * the snapshots is the head, so a crash leaves files too many, never too few.
 */
import { rm } from 'node:fs/promises';
import { pathOf, readTableFile } from './durable-file.ts';
import type { ExpirePolicy } from './iceberg-options.ts';
import { decodeManifest, ENTRY_STATUS, type Long, type ManifestFile } from './manifest.ts';
import { manifestsOf } from './table-commit.ts';
import { currentSnapshot, type Snapshot, snapshotById, type TableMetadata } from './table-metadata.ts';

/** Expiring by batches spreads the cost of looking through what is kept. */
const BATCH_SHARE = 5;

/**
 * Snapshots of `main` that are neither among the newest `keepSnapshots`, nor younger than `maxAgeMs`, nor named by a branch or tag;
 * none until a fifth of `keepSnapshots` has come together.
 */
export function expiredSnapshots(
  metadata: TableMetadata,
  policy: ExpirePolicy,
  nowMs: number,
): readonly Long[] {
  const snapshots = metadata.snapshots ?? [];
  const kept = new Set(Object.values(metadata.refs ?? {}).map((ref) => String(ref['snapshot-id'])));
  const expired = lineage(metadata).filter(
    (snapshot, age) =>
      age >= policy.keepSnapshots - 1 && // the one being committed is the newest
      nowMs - snapshot['timestamp-ms'] > policy.maxAgeMs &&
      !kept.has(String(snapshot['snapshot-id'])),
  );
  const batch = Math.max(1, Math.floor(policy.keepSnapshots / BATCH_SHARE));
  return expired.length >= batch && expired.length < snapshots.length
    ? expired.map((it) => it['snapshot-id'])
    : [];
}

/**
 * Deletes what only removed snapshots reach: manifest lists, manifests, and data files that a later snapshot has taken out.
 * @param before metadata that still has the removed snapshots
 * @param after metadata without them, already the head
 * @returns files deleted
 */
export async function deleteUnreachable(
  before: TableMetadata,
  after: TableMetadata,
  removed: readonly Long[],
): Promise<number> {
  const gone = removed.map((id) => snapshotById(before, id)).filter((it) => it !== undefined);
  const kept = after.snapshots ?? [];
  const keptManifests = await manifestsByPath(kept);
  const goneManifests = await manifestsByPath(gone);
  const files = gone.map((snapshot) => snapshot['manifest-list']);
  for (const path of goneManifests.keys()) if (!keptManifests.has(path)) files.push(path);
  if (!onlyAppends(before, gone)) {
    const live = await dataFilesOf(keptManifests, true);
    for (const path of await dataFilesOf(goneManifests, false)) if (!live.has(path)) files.push(path);
  }
  for (const file of files) await rm(pathOf(file), { force: true });
  return files.length;
}

/** Data files are named by manifests that later snapshots keep or merge; only another operation than append takes any out. */
function onlyAppends(metadata: TableMetadata, gone: readonly Snapshot[]): boolean {
  const line = lineage(metadata);
  return (
    gone.every((snapshot) => line.includes(snapshot)) &&
    line.every(({ summary }) => summary['operation'] === 'append')
  );
}

/** From the head of `main` back to the oldest ancestor that is still there. */
function lineage(metadata: TableMetadata): readonly Snapshot[] {
  const line: Snapshot[] = [];
  for (
    let at = currentSnapshot(metadata);
    at !== undefined;
    at = snapshotById(metadata, at['parent-snapshot-id'])
  )
    line.push(at);
  return line;
}

async function manifestsByPath(snapshots: readonly Snapshot[]): Promise<ReadonlyMap<string, ManifestFile>> {
  const manifests = new Map<string, ManifestFile>();
  for (const snapshot of snapshots)
    for (const file of await manifestsOf(snapshot)) manifests.set(file.manifest_path, file);
  return manifests;
}

async function dataFilesOf(
  manifests: ReadonlyMap<string, ManifestFile>,
  liveOnly: boolean,
): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const manifest of manifests.values()) {
    for (const entry of await decodeManifest(await readTableFile(manifest.manifest_path), manifest)) {
      if (!liveOnly || entry.status !== ENTRY_STATUS.deleted) files.add(entry.data_file.file_path);
    }
  }
  return files;
}
