import { PAGE_BITS, PAGE_SLOTS } from './frozen-pane.ts';

/** Cells of fewer bytes stay in the processor's second cache anyway. */
const CACHED_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads from the rows of many slots before they are worked on one by one. Rows of many keys miss the processor's cache, each once; here,
 * where hardly anything is done with them, their misses are under way together, and the work that follows finds them.
 */
export class RowWarming {
  readonly #stride: number;
  readonly #cachedBytesMax: number;
  /** What was read, so that reading is not left out. */
  read = 0;

  /** @param stride cells of a row */
  constructor(stride: number, cachedBytesMax = CACHED_BYTES_MAX) {
    this.#stride = stride;
    this.#cachedBytesMax = cachedBytesMax;
  }

  /** Whether so many rows are worth it. */
  pays(rows: number): boolean {
    return rows * this.#stride * 8 > this.#cachedBytesMax;
  }

  /** The rows of `slots[from … to − 1]`, at their ends and in the middle. */
  warm(
    pages: readonly (Float64Array | undefined)[],
    slots: ArrayLike<number>,
    from: number,
    to: number,
  ): void {
    const stride = this.#stride;
    if (!this.pays(pages.length * PAGE_SLOTS)) return;
    const [middle, last] = [stride >>> 1, stride - 1];
    let sum = 0;
    for (let i = from; i < to; i++) {
      const slot = slots[i] as number;
      const page = pages[slot >>> PAGE_BITS];
      if (page === undefined) continue;
      const at = (slot & (PAGE_SLOTS - 1)) * stride;
      sum += (page[at] as number) + (page[at + middle] as number) + (page[at + last] as number);
    }
    this.read = sum;
  }
}
