import { crc32 } from '../base/crc32.ts';
import type { CheckpointId, Generation } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { BlobRef } from './checkpoint-store.ts';
import type { StoredBlob } from './protocol.ts';

/**
 * Refers to a blob by `<generation>:<checkpoint>:<name>`. The generation in the key keeps an attempt that lost its job from ever
 * touching a blob of its successor.
 * @throws MR_INVARIANT for a blob beyond the bounds.
 */
export function blobRef(
  generation: Generation,
  checkpoint: CheckpointId,
  name: string,
  bytes: Uint8Array,
  bytesMax: number = LIMITS.blobBytesMax,
): BlobRef {
  const fits = bytes.length <= bytesMax && name !== '' && name.length <= LIMITS.blobNameLengthMax;
  if (!fits) {
    throw new MillraceError(
      'MR_INVARIANT',
      `invariant broken: blob '${name.slice(0, 64)}' of ${bytes.length} bytes is beyond the bounds of blobs. This is a bug in Millrace.`,
    );
  }
  return { key: `${generation}:${checkpoint}:${name}`, bytes: bytes.length, crc: crc32(bytes) };
}

/** What the key of a stored blob says of it. */
export function parseBlobKey(key: string): StoredBlob {
  const [generation, checkpoint] = key.split(':', 2);
  return { key, generation: Number(generation), checkpoint: Number(checkpoint) };
}

/**
 * The bytes, once they are known to be the ones that were written.
 * @throws MR_CHECKPOINT_CORRUPT
 */
export function checkedBlob(job: string, ref: BlobRef, bytes: Uint8Array | null): Uint8Array {
  if (bytes !== null && bytes.length === ref.bytes && crc32(bytes) === ref.crc) return bytes;
  const what = bytes === null ? 'is missing' : 'has changed since it was written';
  throw new MillraceError(
    'MR_CHECKPOINT_CORRUPT',
    `Blob '${ref.key}' of job '${job}' ${what}. Restore an older checkpoint or a savepoint.`,
    { details: { job, blob: ref.key } },
  );
}
