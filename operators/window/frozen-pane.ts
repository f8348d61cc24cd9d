import type { CellObject, CellObjectState } from './cells.ts';
import { plainCopy } from './plain-copy.ts';
import { SlotJournal } from './slot-journal.ts';

/** What numbers do not say of a slot: its objects and its accumulator, copied. */
export interface KeptObjects {
  readonly objects: readonly CellObjectState[];
  readonly accumulator: unknown;
}

/** A pane at the time of a snapshot: pages that it shares with the pane, and objects, kept when they are about to change. */
export class FrozenPane {
  readonly start: number;
  readonly end: number;
  /** Never written (PN1). */
  readonly pages: readonly (Float64Array | undefined)[];
  readonly #pageBits: number;
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
    shape: { readonly pageBits: number; readonly stride: number },
  ) {
    this.start = pane.start;
    this.end = pane.end;
    this.pages = pane.pages.slice();
    this.#pageBits = shape.pageBits;
    this.#stride = shape.stride;
    const { objects, accumulators } = pane;
    this.#journal = new SlotJournal((slot) => ({
      objects: objects[slot]?.map((object) => object.state()) ?? [],
      accumulator: plainCopy(accumulators[slot]),
    }));
  }

  /** Index of the slot's first cell in its page, or −1 when nothing had been seen of it. */
  cellAt(slot: number): number {
    const page = this.pages[slot >>> this.#pageBits];
    const at = (slot & ((1 << this.#pageBits) - 1)) * this.#stride;
    return page === undefined || page[at] === 0 ? -1 : at;
  }

  /** The page of a slot that `cellAt` knows. */
  pageOf(slot: number): Float64Array {
    return this.pages[slot >>> this.#pageBits] as Float64Array;
  }

  /** The slot's objects or accumulator are about to change, perhaps. */
  changing(slot: number): void {
    if (this.cellAt(slot) >= 0) this.#journal.before(slot);
  }

  objectsOf(slot: number): KeptObjects {
    return this.#journal.of(slot);
  }
}
