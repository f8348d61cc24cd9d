/**
 * Memory for the decoded numbers of one batch: one block, not cleared, cut into columns. A column array by itself costs an
 * allocation, a clearing and a collection per frame, which was a fifth of decoding. Whoever takes an array fills all of it.
 */
export class NumberArena {
  #columns: number;
  #block: ArrayBuffer | null = null;
  #used = 0;

  /** @param columns how many to have memory for at once; each further one is allocated by itself */
  constructor(columns: number) {
    this.#columns = columns;
  }

  /** `count` numbers with whatever was there. Every call of one arena takes the same count. */
  take(count: number): Float64Array {
    if (this.#block === null || this.#columns === 0) {
      this.#columns = Math.max(1, this.#columns);
      this.#block = Buffer.allocUnsafeSlow(this.#columns * count * 8).buffer as ArrayBuffer;
      this.#used = 0;
    }
    const values = new Float64Array(this.#block, this.#used, count);
    this.#used += count * 8;
    this.#columns--;
    return values;
  }
}
