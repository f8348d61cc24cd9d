const PAGE_BITS = 10;
const PAGE_SLOTS = 1 << PAGE_BITS;

/**
 * What a snapshot that is still being written needs of slots that have changed since: each is kept when it is about to change for
 * the first time. Whoever changes state of a slot calls {@link before} first; records pay for the slots that they touch, and nobody
 * for all of them at once.
 *
 * SJ1 `of` gives what `keep` would have given at the time of the snapshot.
 */
export class SlotJournal<Kept extends object> {
  readonly #keep: (slot: number) => Kept;
  /** In pages: no table of a million entries ever grows in one go. */
  readonly #pages: ((Kept | undefined)[] | undefined)[] = [];

  /** @param keep the slot's state as it is now, copied */
  constructor(keep: (slot: number) => Kept) {
    this.#keep = keep;
  }

  before(slot: number): void {
    const number = slot >>> PAGE_BITS;
    while (this.#pages.length <= number) this.#pages.push(undefined);
    const page = (this.#pages[number] ??= new Array<Kept | undefined>(PAGE_SLOTS).fill(undefined));
    const at = slot & (PAGE_SLOTS - 1);
    if (page[at] === undefined) page[at] = this.#keep(slot);
  }

  of(slot: number): Kept {
    const kept = this.kept(slot);
    return kept === undefined ? this.#keep(slot) : kept;
  }

  /** What was kept; undefined for a slot that is still as it was. */
  kept(slot: number): Kept | undefined {
    return this.#pages[slot >>> PAGE_BITS]?.[slot & (PAGE_SLOTS - 1)];
  }
}
