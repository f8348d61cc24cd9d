import { checkpointId } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import type { BlobRef, CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { BlobPiece, BlobRange, Manifest } from './manifest.ts';
import { blobsOf, decodeManifest } from './manifest-codec.ts';
import {
  blobFile,
  MANIFEST_FILE,
  readCheckedPart,
  readSavepointFile,
  type SavepointFile,
  unusable,
} from './savepoint-folder.ts';

/**
 * Publishes an exported savepoint as the newest one of the job that `ownership` is of, in any store: the job's next start
 * restores it. Under another job name it is a fork: its sinks are new ones, and what the savepoint left to commit
 * stays the old job's.
 *
 * Every file is checked before or while it is copied, and the manifest is published last: what fails leaves blobs that nothing
 * names, which go with the generation.
 * @throws MR_CHECKPOINT_CORRUPT for a missing or changed file, which it names; MR_STATE_INCOMPATIBLE for another format;
 *   MR_CHECKPOINT_FENCED, MR_CHECKPOINT_NO_SPACE
 */
export async function importSavepoint(
  store: CheckpointStore,
  folder: string,
  ownership: Ownership,
): Promise<Manifest> {
  const { file, manifest } = await readManifest(folder);
  const id = await store.nextCheckpointId(ownership);
  const copies = new Map<string, readonly BlobCopy[]>();
  const waiting = file.blobs.entries();
  const work = async () => {
    for (const [number, blob] of waiting) {
      const bytes = await readCheckedPart(folder, blobFile(blob), blob);
      const chunks: BlobCopy[] = [];
      const chunkBytes = store.blobBytesMax ?? LIMITS.blobBytesMax;
      for (let at = 0; at === 0 || at < bytes.length; at += chunkBytes) {
        const name = `import.${number}.${chunks.length}`;
        const chunk = bytes.subarray(at, at + chunkBytes);
        chunks.push({ start: at, ref: await store.writeBlob(ownership, id, name, chunk) });
      }
      copies.set(blob.key, chunks);
    }
  };
  await Promise.all(Array.from({ length: LIMITS.blobWritesInFlightMax }, work));
  const imported: Manifest = {
    ...relocated(manifest, copies),
    job: ownership.job,
    id,
    generation: ownership.generation,
    kind: 'savepoint',
    sinks: ownership.job === manifest.job ? manifest.sinks : [],
  };
  await store.publish(ownership, imported, Number.MAX_SAFE_INTEGER);
  await store.confirmDurable();
  return imported;
}

/** A part of a blob, where it has been copied to. */
export interface BlobCopy {
  readonly start: number;
  readonly ref: BlobRef;
}

async function readManifest(folder: string): Promise<{ file: SavepointFile; manifest: Manifest }> {
  const file = await readSavepointFile(folder);
  const bytes = await readCheckedPart(folder, MANIFEST_FILE, file.manifest);
  const manifest = decodeManifest(file.job, checkpointId(file.savepoint), bytes);
  const listed = new Map(file.blobs.map((blob) => [blob.key, blob.bytes]));
  const missing = blobsOf(manifest).find((blob) => listed.get(blob.key) !== blob.bytes);
  if (missing !== undefined)
    throw unusable(folder, MANIFEST_FILE, `names blob '${missing.key}', which is not listed`);
  return { file, manifest };
}

/** The manifest with every range where its copy lies. */
export function relocated(manifest: Manifest, copies: ReadonlyMap<string, readonly BlobCopy[]>): Manifest {
  const move = ({ pieces, compressed }: BlobRange): BlobRange => ({
    pieces: pieces.flatMap((piece) => movedPiece(piece, copies.get(piece.blob.key) ?? [])),
    compressed,
  });
  return {
    ...manifest,
    snapshots: manifest.snapshots.map((ref) => ({
      ...ref,
      head: move(ref.head),
      groups: ref.groups.map((range) => ({ group: range.group, ...move(range) })),
    })),
  };
}

function movedPiece({ offset, bytes }: BlobPiece, chunks: readonly BlobCopy[]): readonly BlobPiece[] {
  return chunks.flatMap(({ start, ref }) => {
    const from = Math.max(offset, start);
    const to = Math.min(offset + bytes, start + ref.bytes);
    return from < to ? [{ blob: ref, offset: from - start, bytes: to - from }] : [];
  });
}
