import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { errorText, MillraceError } from '../base/errors.ts';

/** Parts below this stay as they are: little to win, and calls cost more than bytes. */
const COMPRESSED_BYTES_MIN = 4 * 1024;
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };
const CHUNK_BYTES_MIN = 16 * 1024;

/**
 * One part of a snapshot as it is stored, in memory of its own: compressed when that saves an eighth. In this thread, since a pool's
 * answers come in any order.
 */
export function compressPart(bytes: Uint8Array): {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
} {
  if (bytes.length < COMPRESSED_BYTES_MIN) return { bytes: new Uint8Array(bytes), compressed: false };
  // Room for a ratio of two: more chunks than one would be joined in yet more memory.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, bytes.length >>> 1);
  const compressed = zstdCompressSync(bytes, { params: PARAMS, chunkSize });
  return compressed.length * 8 <= bytes.length * 7
    ? { bytes: compressed, compressed: true }
    : { bytes: new Uint8Array(bytes), compressed: false };
}

/** @throws MR_CHECKPOINT_CORRUPT */
export function decompressPart(bytes: Uint8Array): Uint8Array {
  try {
    return zstdDecompressSync(bytes);
  } catch (cause) {
    throw new MillraceError(
      'MR_CHECKPOINT_CORRUPT',
      `A stored snapshot cannot be decompressed: ${errorText(cause)}.`,
      { cause },
    );
  }
}
