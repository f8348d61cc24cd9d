import type { KeySpace } from './key-space.ts';

const NONE = -1;

/**
 * Which slots have cells in memory, and which of them to move out first: second chance (clock) by use. The hand goes by key groups,
 * as entries lie on disk: what leaves at one time goes to few pages, and each page that is written to is copied whole.
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
  readonly #keys: Pick<KeySpace, 'group'> & { readonly slots: Pick<KeySpace['slots'], 'hold' | 'drop'> };
  /** Cells by slot: as many as there are states, fewer than 256. */
  #counts = new Uint8Array(1024);
  #admitted: number[] = [];
  #loose: number[] = [];
  /** Lists of slots by key group: the first of each, and by slot the next. A slot without cells leaves when the hand comes by. */
  readonly #first: number[] = [];
  #next = new Int32Array(1024).fill(NONE);
  #listed = new Uint8Array(1024);
  #hand = 0;

  constructor(keys: Pick<KeySpace, 'group'> & { readonly slots: Pick<KeySpace['slots'], 'hold' | 'drop'> }) {
    this.#keys = keys;
  }

  /** The slot has one cell more. */
  enter(slot: number): void {
    if (slot >= this.#counts.length) this.#grow(slot);
    const count = this.#counts[slot] as number;
    this.#counts[slot] = count + 1;
    if (count > 0) return;
    this.#keys.slots.hold(slot);
    this.#list(slot);
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

  /** Lets go of slots, key group by key group, until `sizeMax` are left; `evict` takes the cells of one. */
  evict(sizeMax: number, evict: (slot: number) => void): void {
    while (this.size > sizeMax) {
      if (this.#hand >= this.#first.length) this.#hand = 0;
      this.#evictOf(this.#hand++, sizeMax, evict);
    }
  }

  #evictOf(group: number, sizeMax: number, evict: (slot: number) => void): void {
    let before = NONE;
    let next: number;
    for (let slot = this.#first[group] ?? NONE; slot !== NONE && this.size > sizeMax; slot = next) {
      next = this.#next[slot] as number;
      const stays = this.#counts[slot] !== 0 && this.touched[slot] === 1;
      if (stays) {
        this.touched[slot] = 0;
        before = slot;
        continue;
      }
      this.#listed[slot] = 0;
      if (before === NONE) this.#first[group] = next;
      else this.#next[before] = next;
      if (this.#counts[slot] === 0) continue;
      evict(slot);
      this.#counts[slot] = 0;
      this.#release(slot);
    }
  }

  #list(slot: number): void {
    // Still in the list of the key that had the slot before: it leaves with that one's group.
    if (this.#listed[slot] === 1) return;
    const group = this.#keys.group(slot);
    while (this.#first.length <= group) this.#first.push(NONE);
    this.#next[slot] = this.#first[group] as number;
    this.#first[group] = slot;
    this.#listed[slot] = 1;
  }

  #release(slot: number): void {
    this.#keys.slots.drop(slot);
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
    const next = new Int32Array(capacity).fill(NONE);
    next.set(this.#next);
    this.#next = next;
    const listed = new Uint8Array(capacity);
    listed.set(this.#listed);
    this.#listed = listed;
  }
}
