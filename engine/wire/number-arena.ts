/**
 * Memory for the decoded numbers of one batch: one block, not cleared, cut into columns. A column array by itself costs an
 * allocation, a clearing and a collection per frame, which was a fifth of decoding. Whoever takes an array fills all of it.
 */
export class NumberArena {
  readonly #columnsLeft: () => number;
  #block: ArrayBuffer | null = null;
  #used = 0;

  /** @param columnsLeft upper bound of the columns of this batch that will be taken, asked once */
  constructor(columnsLeft: () => number) {
    this.#columnsLeft = columnsLeft;
  }

  /** `count` numbers with whatever was there. Every call of one arena takes the same count. */
  take(count: number): Float64Array {
    this.#block ??= Buffer.allocUnsafeSlow(this.#columnsLeft() * count * 8).buffer as ArrayBuffer;
    const values = new Float64Array(this.#block, this.#used, count);
    this.#used += count * 8;
    return values;
  }
}
