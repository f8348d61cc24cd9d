import { type CellObject, keptObject, type KeptObject } from './cells.ts';
import { plainCopy } from './plain-copy.ts';
import { SlotJournal } from './slot-journal.ts';

/**
 * Slots of a page, whose first cell is `pages[slot >>> PAGE_BITS][(slot & (PAGE_SLOTS - 1)) * stride]`. While a snapshot is being
 * written, the first record of a page copies all of it: of a million keys, a batch of random ones copies a page per record, so pages
 * are small. Smaller ones cost every record: 64 slots with 17 cells up to a tenth of the operator's time (measured).
 */
export const PAGE_BITS = 8;
export const PAGE_SLOTS = 1 << PAGE_BITS;

/** What numbers do not say of a slot: its objects and its accumulator, copied. */
export interface KeptObjects {
  readonly objects: readonly KeptObject[];
  readonly accumulator: unknown;
}

/** A pane at the time of a snapshot: pages that it shares with the pane, and objects, kept when they are about to change. */
export class FrozenPane {
  readonly start: number;
  readonly end: number;
  /** Never written (PN1). */
  readonly pages: readonly (Float64Array | undefined)[];
  readonly #stride: number;
  readonly #journal: SlotJournal<KeptObjects>;

  constructor(
    pane: {
      readonly start: number;
      readonly end: number;
      readonly pages: readonly (Float64Array | undefined)[];
      readonly objects: readonly (readonly CellObject[] | undefined)[];
      readonly accumulators: readonly unknown[];
    },
    stride: number,
  ) {
    this.start = pane.start;
    this.end = pane.end;
    this.pages = pane.pages.slice();
    this.#stride = stride;
    const { objects, accumulators } = pane;
    this.#journal = new SlotJournal((slot) => ({
      objects: objects[slot]?.map(keptObject) ?? [],
      accumulator: plainCopy(accumulators[slot]),
    }));
  }

  /** Index of the slot's first cell in its page, or −1 when nothing had been seen of it. */
  cellAt(slot: number): number {
    const page = this.pages[slot >>> PAGE_BITS];
    const at = (slot & (PAGE_SLOTS - 1)) * this.#stride;
    return page === undefined || page[at] === 0 ? -1 : at;
  }

  /** The page of a slot that `cellAt` knows. */
  pageOf(slot: number): Float64Array {
    return this.pages[slot >>> PAGE_BITS] as Float64Array;
  }

  /** The slot's objects or accumulator are about to change, perhaps. */
  changing(slot: number): void {
    if (this.cellAt(slot) >= 0) this.#journal.before(slot);
  }

  objectsOf(slot: number): KeptObjects {
    return this.#journal.of(slot);
  }
}
