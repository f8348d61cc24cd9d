import type { BlobRef } from './checkpoint-store.ts';
import type { BlobRange } from './manifest.ts';

export interface BlobPackerOptions {
  /** Stores one blob under a name of the packer's own choice: 0, 1, 2 … */
  readonly write: (number: number, bytes: Uint8Array) => Promise<BlobRef>;
  readonly blobBytesMax: number;
  readonly writesInFlightMax: number;
}

/**
 * Packs the parts of one snapshot into blobs and stores them as they fill.
 *
 * Suspends in {@link add} while `writesInFlightMax` writes are on their way, and in {@link finish}.
 *
 * BP1 no blob is larger than `blobBytesMax`; a part that fits into one blob lies in one.
 * BP2 when `add` or `finish` fails, or `settle` returns, no write is on its way any more.
 */
export class BlobPacker {
  readonly #options: BlobPackerOptions;
  readonly #writes = new Set<Promise<void>>();
  readonly #placed: { readonly part: number; readonly compressed: boolean; readonly pieces: Placed[] }[] = [];
  readonly #blobs: BlobRef[] = [];
  #bytes = 0;
  #open: Uint8Array[] = [];
  #openBytes = 0;
  #sealed = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: BlobPackerOptions) {
    this.#options = options;
  }

  /** Bytes of all parts so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes one part; its bytes must not change until {@link finish}. */
  async add(part: number, bytes: Uint8Array, compressed: boolean): Promise<void> {
    const { blobBytesMax } = this.#options;
    const pieces: Placed[] = [];
    if (this.#openBytes + bytes.length > blobBytesMax && this.#openBytes > 0) await this.#seal();
    for (let at = 0; at === 0 || at < bytes.length; at += blobBytesMax) {
      const piece = bytes.subarray(at, at + blobBytesMax);
      pieces.push({ blob: this.#sealed, offset: this.#openBytes, bytes: piece.length });
      this.#open.push(piece);
      this.#openBytes += piece.length;
      if (this.#openBytes === blobBytesMax) await this.#seal();
    }
    this.#bytes += bytes.length;
    this.#placed.push({ part, compressed, pieces });
  }

  /** Ends the open blob, so that the next part begins one of its own. */
  async seal(): Promise<void> {
    if (this.#open.length > 0) await this.#seal();
  }

  /** Stores what is left. Where every part lies, and the bytes stored. */
  async finish(): Promise<{ readonly ranges: ReadonlyMap<number, BlobRange>; readonly bytes: number }> {
    await this.seal();
    await this.settle();
    if (this.#failure !== null) throw this.#failure.error;
    const ranges = new Map<number, BlobRange>();
    for (const { part, compressed, pieces } of this.#placed) {
      ranges.set(part, {
        pieces: pieces.map((piece) => ({ ...piece, blob: this.#blobs[piece.blob] as BlobRef })),
        compressed,
      });
    }
    return { ranges, bytes: this.#blobs.reduce((sum, blob) => sum + blob.bytes, 0) };
  }

  /** Waits until no write is on its way. Does not fail. */
  async settle(): Promise<void> {
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  async #seal(): Promise<void> {
    while (this.#writes.size >= this.#options.writesInFlightMax) await Promise.race(this.#writes);
    if (this.#failure !== null) {
      await this.settle();
      throw this.#failure.error;
    }
    const number = this.#sealed++;
    const bytes = Buffer.concat(this.#open, this.#openBytes);
    this.#open = [];
    this.#openBytes = 0;
    const write = this.#options
      .write(number, bytes)
      .then(
        (ref) => {
          this.#blobs[number] = ref;
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }
}

/** A piece before its blob is stored. */
interface Placed {
  readonly blob: number;
  readonly offset: number;
  readonly bytes: number;
}
