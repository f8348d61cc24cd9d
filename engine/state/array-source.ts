/** Where code that fills many typed arrays gets them from. What it gets is zero. */
export interface ArraySource {
  readonly bytes: (length: number) => Uint8Array;
  readonly int32: (length: number) => Int32Array;
  readonly uint32: (length: number) => Uint32Array;
  readonly float64: (length: number) => Float64Array;
}

/** New ones, for whoever keeps them. */
export const newArrays: ArraySource = {
  bytes: (length) => new Uint8Array(length),
  int32: (length) => new Int32Array(length),
  uint32: (length) => new Uint32Array(length),
  float64: (length) => new Float64Array(length),
};

const FIRST_BYTES = 64 * 1024;
/** Memory that is kept for the next use. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Arrays that are good until the next {@link reset}, in memory that is used again: typed arrays lie outside of the heap, and every
 * few dozen megabytes of new ones make the garbage collector mark all of it.
 *
 * AS1 two arrays between two resets share no memory.
 */
export class ReusedArrays implements ArraySource {
  #chunk = new ArrayBuffer(FIRST_BYTES);
  #used = 0;
  /** Bytes since the last reset, of all chunks. */
  #asked = 0;

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#chunk, at, length).fill(0);
  }

  int32(length: number): Int32Array {
    const at = this.#take(length * 4);
    return new Int32Array(this.#chunk, at, length).fill(0);
  }

  uint32(length: number): Uint32Array {
    const at = this.#take(length * 4);
    return new Uint32Array(this.#chunk, at, length).fill(0);
  }

  float64(length: number): Float64Array {
    const at = this.#take(length * 8);
    return new Float64Array(this.#chunk, at, length).fill(0);
  }

  /** All arrays so far may be written over from now on. One chunk remains, as large as what they needed. */
  reset(): void {
    const wanted = Math.min(this.#asked, KEPT_BYTES_MAX);
    if (wanted > this.#chunk.byteLength || this.#chunk.byteLength > KEPT_BYTES_MAX)
      this.#chunk = new ArrayBuffer(Math.max(FIRST_BYTES, wanted + (wanted >>> 2)));
    this.#used = 0;
    this.#asked = 0;
  }

  /** Where so many bytes are free in the chunk, which may be a new one. */
  #take(bytes: number): number {
    const aligned = (bytes + 7) & ~7;
    this.#asked += aligned;
    if (this.#used + aligned > this.#chunk.byteLength) {
      this.#chunk = new ArrayBuffer(Math.max(this.#chunk.byteLength, aligned));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += aligned;
    return at;
  }
}
