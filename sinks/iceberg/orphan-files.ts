import { readdir, rm, stat } from 'node:fs/promises';
import { type Clock, type Duration, durationMs, systemClock } from '#engine';
import { pathOf, readTableFile } from './durable-file.ts';
import { fileCatalog } from './file-catalog.ts';
import { decodeManifest } from './manifest.ts';
import { tableLocation } from './table-binding.ts';
import { manifestsOf } from './table-commit.ts';
import type { TableMetadata } from './table-metadata.ts';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
/** Only what this sink names: data files, manifests, manifest lists, metadata versions, and temporary files of a crash. */
const OWN_FILES = new RegExp(
  `^(?:\\d{5,}-\\d+-${UUID}-\\d{5,}\\.parquet|${UUID}-m0\\.avro|snap-\\d+-\\d+-${UUID}\\.avro|v\\d+\\.metadata\\.json|version-hint\\.text)(?:\\.${UUID}\\.tmp)?$`,
);

/**
 * Deletes this sink's files that no snapshot reaches: what attempts left that never completed their checkpoint.
 * A checkpoint or savepoint that is still to be restored may name such files, so keep `olderThan` above the age of any of those.
 * @param olderThan age of a file, by its modification time. Default 3 days.
 * @returns the paths deleted
 * @throws MR_TABLE_CORRUPT when what is reachable cannot be read; nothing is deleted then.
 */
export async function removeOrphans(
  warehouse: string,
  table: string,
  olderThan: Duration = '3d',
  clock: Clock = systemClock,
): Promise<readonly string[]> {
  const location = tableLocation(warehouse, table);
  const cutoffMs = clock.now() - durationMs(olderThan, 'olderThan');
  const folder = pathOf(location);
  const found = await ownFilesOlderThan(folder, cutoffMs); // first, so that a commit meanwhile counts as reaching its files
  const head = await fileCatalog(location).load();
  if (head === null) return [];
  const reachable = await reachableFiles(head.metadata);
  reachable.add(pathOf(head.metadataLocation)).add(`${folder}/metadata/version-hint.text`);
  const orphans = found.filter((path) => !reachable.has(path));
  for (const path of orphans) await rm(path, { force: true });
  return orphans;
}

async function ownFilesOlderThan(folder: string, cutoffMs: number): Promise<readonly string[]> {
  const files: string[] = [];
  for (const part of ['data', 'metadata']) {
    const entries = await readdir(`${folder}/${part}`, { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) {
      if (!entry.isFile() || !OWN_FILES.test(entry.name)) continue;
      const path = `${entry.parentPath}/${entry.name}`;
      const modifiedMs = await stat(path).then(
        (it) => it.mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      if (modifiedMs < cutoffMs) files.push(path);
    }
  }
  return files;
}

async function reachableFiles(metadata: TableMetadata): Promise<Set<string>> {
  const paths = new Set((metadata['metadata-log'] ?? []).map((entry) => pathOf(entry['metadata-file'])));
  for (const snapshot of metadata.snapshots ?? []) {
    paths.add(pathOf(snapshot['manifest-list']));
    for (const manifest of await manifestsOf(snapshot)) {
      if (paths.has(pathOf(manifest.manifest_path))) continue;
      paths.add(pathOf(manifest.manifest_path));
      for (const entry of await decodeManifest(await readTableFile(manifest.manifest_path), manifest)) {
        paths.add(pathOf(entry.data_file.file_path));
      }
    }
  }
  return paths;
}
