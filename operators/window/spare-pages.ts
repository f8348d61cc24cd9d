/** Of one operator: what a snapshot of a million keys with a few cells each has copied. */
const SPARE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Pages of cells that are not in use. Copying a page into memory that has been used before costs a fraction of copying into new
 * memory, which has to be mapped and zeroed first.
 */
export class SparePages {
  readonly #cells: number;
  readonly #pages: Float64Array[] = [];

  /** @param cells numbers per page */
  constructor(cells: number) {
    this.#cells = cells;
  }

  zeroed(): Float64Array {
    return this.#pages.pop()?.fill(0) ?? new Float64Array(this.#cells);
  }

  copyOf(page: Float64Array): Float64Array {
    const copy = this.#pages.pop();
    if (copy === undefined) return page.slice();
    copy.set(page);
    return copy;
  }

  /** Nobody looks at the page any more. */
  give(page: Float64Array): void {
    if ((this.#pages.length + 1) * page.byteLength <= SPARE_BYTES_MAX) this.#pages.push(page);
  }
}
