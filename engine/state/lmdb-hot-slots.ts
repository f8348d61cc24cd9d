import type { SlotTable } from './slot-table.ts';

/**
 * Which slots have cells in memory, and which of them to move out first: second chance (clock) by use.
 *
 * HS1 a slot with a cell is held, once, whatever the number of its cells; one without is not.
 * HS2 use in the batch that brought a key's first cell does not count: a key that is seen once goes before one that comes back.
 * HS3 {@link forgetLoose} names every slot that was {@link note}d or lost its last cell, and has no cell now.
 */
export class HotSlots {
  /** By slot: used since the clock's hand came by. Written by whoever uses a cell; writes beyond its end do nothing. */
  touched = new Uint8Array(1024);
  /** Slots with a cell. */
  size = 0;
  readonly #slots: Pick<SlotTable, 'hold' | 'drop'>;
  /** Cells by slot: as many as there are states, fewer than 256. */
  #counts = new Uint8Array(1024);
  #admitted: number[] = [];
  #loose: number[] = [];
  #hand = 0;

  constructor(slots: Pick<SlotTable, 'hold' | 'drop'>) {
    this.#slots = slots;
  }

  /** The slot has one cell more. */
  enter(slot: number): void {
    if (slot >= this.#counts.length) this.#grow(slot);
    const count = this.#counts[slot] as number;
    this.#counts[slot] = count + 1;
    if (count > 0) return;
    this.#slots.hold(slot);
    this.#admitted.push(slot);
    this.size++;
  }

  /** One cell less. */
  leave(slot: number): void {
    const left = (this.#counts[slot] as number) - 1;
    this.#counts[slot] = left;
    if (left > 0) return;
    this.#loose.push(slot);
    this.#release(slot);
  }

  /** Something was remembered of a slot. */
  note(slot: number): void {
    if ((this.#counts[slot] ?? 0) === 0) this.#loose.push(slot);
  }

  /** Between batches, before {@link evict}. */
  forgetLoose(forget: (slot: number) => void): void {
    for (const slot of this.#loose) if ((this.#counts[slot] ?? 0) === 0) forget(slot);
    if (this.#loose.length > 0) this.#loose = [];
    for (const slot of this.#admitted) this.touched[slot] = 0;
    if (this.#admitted.length > 0) this.#admitted = [];
  }

  /** Lets go of slots until `sizeMax` are left; `evict` takes the cells of one. */
  evict(sizeMax: number, evict: (slot: number) => void): void {
    while (this.size > sizeMax) {
      if (this.#hand >= this.#counts.length) this.#hand = 0;
      const slot = this.#hand++;
      if (this.#counts[slot] === 0) continue;
      if (this.touched[slot] === 1) {
        this.touched[slot] = 0;
        continue;
      }
      evict(slot);
      this.#counts[slot] = 0;
      this.#release(slot);
    }
  }

  #release(slot: number): void {
    this.#slots.drop(slot);
    this.size--;
  }

  #grow(slot: number): void {
    const capacity = Math.max(this.#counts.length * 2, slot + 1);
    const counts = new Uint8Array(capacity);
    counts.set(this.#counts);
    this.#counts = counts;
    const touched = new Uint8Array(capacity);
    touched.set(this.touched);
    this.touched = touched;
  }
}
