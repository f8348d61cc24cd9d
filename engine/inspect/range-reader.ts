import { LIMITS } from '../base/limits.ts';
import { readBlobs } from '../checkpoint/blob-reader.ts';
import type { BlobRef, CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { BlobRange } from '../checkpoint/manifest.ts';
import { decompressPart } from '../checkpoint/part-compression.ts';

/**
 * Reads ranges of one job's blobs. Neighbours often lie in one blob: the blobs used last are kept, LIMITS.inspectBlobBytes of them.
 *
 * RR1 a range costs the reads of those of its blobs that are not kept, and no other.
 */
export class RangeReader {
  /** Blobs read so far, and their bytes. */
  reads = 0;
  readBytes = 0;
  readonly #store: CheckpointStore;
  readonly #job: string;
  /** Used last comes last. */
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;

  constructor(store: CheckpointStore, job: string) {
    this.#store = store;
    this.#job = job;
  }

  /** @throws MR_CHECKPOINT_CORRUPT, also when the checkpoint was retired meanwhile and its blobs are collected */
  async read({ pieces, compressed }: BlobRange): Promise<Uint8Array> {
    const blobs = await this.#blobs(pieces.map(({ blob }) => blob));
    const parts = pieces.map(({ blob, offset, bytes }) =>
      (blobs.get(blob.key) as Uint8Array).subarray(offset, offset + bytes),
    );
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    return compressed ? decompressPart(bytes) : bytes;
  }

  async #blobs(refs: readonly BlobRef[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    const missing = new Map<string, BlobRef>();
    for (const ref of refs) {
      const kept = this.#kept.get(ref.key);
      if (kept === undefined) missing.set(ref.key, ref);
      else found.set(ref.key, kept);
    }
    for (const [key, bytes] of await readBlobs(this.#store, this.#job, [...missing.values()])) {
      found.set(key, bytes);
      this.reads++;
      this.readBytes += bytes.length;
    }
    for (const [key, bytes] of found) this.#keep(key, bytes);
    return found;
  }

  #keep(key: string, bytes: Uint8Array): void {
    if (!this.#kept.delete(key)) this.#keptBytes += bytes.length;
    this.#kept.set(key, bytes);
    for (const [oldest, old] of this.#kept) {
      if (this.#keptBytes <= LIMITS.inspectBlobBytes) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= old.length;
    }
  }
}
