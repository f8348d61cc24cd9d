import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointId } from '../base/brand.ts';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { BlobRef, CheckpointStore } from './checkpoint-store.ts';
import { syncFolder } from './folder-blobs.ts';
import type { Manifest, SnapshotRef } from './manifest.ts';
import { blobsOf, encodeManifest } from './manifest-codec.ts';
import {
  blobFile,
  MANIFEST_FILE,
  SAVEPOINT_FILE,
  type SavepointBlob,
  type SavepointFile,
  sha256Of,
} from './savepoint-folder.ts';

/**
 * Copies a retained savepoint (or checkpoint) into a folder of plain files, which need neither the store nor the job
 * (savepoint-folder.ts). The folder is complete once it holds `savepoint.json`.
 * @throws MR_CONFIG_INVALID when the id is not retained or the folder holds a savepoint; MR_CHECKPOINT_CORRUPT when a blob is damaged;
 *   MR_CHECKPOINT_FAILED when the folder cannot be written
 */
export async function exportSavepoint(
  store: CheckpointStore,
  job: string,
  id: CheckpointId,
  folder: string,
): Promise<SavepointFile> {
  const manifest = await store.manifest(job, id);
  if (manifest === null) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Job '${job}' has no checkpoint or savepoint ${id}. List what it retains, and choose one of these.`,
    );
  }
  try {
    return await exportManifest(store, manifest, folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Savepoint ${id} of job '${job}' cannot be exported into '${folder}': ${errorText(cause)}. Check its space and permissions.`,
      { cause, details: { job, checkpoint: id } },
    );
  }
}

async function exportManifest(
  store: CheckpointStore,
  manifest: Manifest,
  folder: string,
): Promise<SavepointFile> {
  await mkdir(join(folder, 'blobs'), { recursive: true });
  if (await exists(join(folder, SAVEPOINT_FILE))) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `'${folder}' holds a savepoint already. Export into another folder.`,
    );
  }
  const blobs = await exportBlobs(store, manifest.job, blobsOf(manifest), folder);
  const encoded = encodeManifest(manifest);
  await writeDurably(join(folder, MANIFEST_FILE), encoded);
  await syncFolder(join(folder, 'blobs'));
  const described = describe(manifest, blobs, encoded);
  const text = `${JSON.stringify(described, undefined, 2)}\n`;
  await writeDurably(join(folder, SAVEPOINT_FILE), Buffer.from(text));
  await syncFolder(folder);
  return described;
}

async function exportBlobs(
  store: CheckpointStore,
  job: string,
  refs: readonly BlobRef[],
  folder: string,
): Promise<readonly SavepointBlob[]> {
  const written = new Map<string, Promise<void>>();
  const blobs: SavepointBlob[] = [];
  const waiting = refs.entries();
  const work = async () => {
    for (const [number, ref] of waiting) {
      const bytes = await store.readBlob(job, ref);
      const blob = { key: ref.key, bytes: bytes.length, sha256: sha256Of(bytes) };
      blobs[number] = blob;
      const write = written.get(blob.sha256) ?? writeDurably(join(folder, blobFile(blob)), bytes);
      written.set(blob.sha256, write);
      await write;
    }
  };
  await Promise.all(Array.from({ length: LIMITS.blobWritesInFlightMax }, work));
  return blobs;
}

function describe(manifest: Manifest, blobs: readonly SavepointBlob[], encoded: Uint8Array): SavepointFile {
  const { job, jobVersion, parallelism, maxParallelism, operators, snapshots, positions, sinks } = manifest;
  const bytesOf = (operator: string) =>
    snapshots.reduce((sum, ref) => sum + (ref.operator === operator ? stateBytes(ref) : 0), 0);
  return {
    format: 1,
    job,
    jobVersion,
    savepoint: manifest.id,
    takenAt: new Date(manifest.triggeredAt).toISOString(),
    parallelism,
    maxParallelism,
    operators: operators.map((operator) => ({ ...operator, bytes: bytesOf(operator.id) })),
    positions,
    sinks: sinks.map(({ operator, sinkId, seq, committables }) => ({
      operator,
      sinkId,
      seq,
      committables: committables.length,
    })),
    manifest: { bytes: encoded.length, sha256: sha256Of(encoded) },
    blobs,
  };
}

function stateBytes({ head, groups }: SnapshotRef): number {
  const pieces = [head, ...groups].flatMap((range) => range.pieces);
  return pieces.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A file that is there whole, and on disk, or not at all. */
async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
