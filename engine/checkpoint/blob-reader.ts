import { LIMITS } from '../base/limits.ts';
import type { BlobRef, CheckpointStore } from './checkpoint-store.ts';

/**
 * Reads blobs, LIMITS.blobReadsInFlightMax at once. By key.
 * @throws MR_CHECKPOINT_CORRUPT
 */
export async function readBlobs(
  store: CheckpointStore,
  job: string,
  blobs: readonly BlobRef[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const read = new Map<string, Uint8Array>();
  const waiting = blobs.values();
  const reader = async () => {
    for (const blob of waiting) read.set(blob.key, await store.readBlob(job, blob));
  };
  await Promise.all(Array.from({ length: Math.min(LIMITS.blobReadsInFlightMax, blobs.length) }, reader));
  return read;
}
