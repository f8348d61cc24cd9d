import { invariant } from '../base/errors.ts';

/**
 * Counts who holds a slot (panes, state cells, timers) and hands slots that nobody holds back for reuse.
 *
 * ST1 a slot is reclaimed only when its count is zero, and only inside {@link reclaim}, never in the middle of a batch: a
 *     generated loop may keep a slot in a local for the whole batch.
 * ST2 while a snapshot that is still being written has the table pinned no slot is reclaimed: the snapshot names keys by slot.
 */
export class SlotTable {
  #holders = new Int32Array(1024);
  #queued = new Uint8Array(1024);
  #candidates: number[] = [];
  #pins = 0;
  #added: (slot: number) => void = () => {};

  /** Has `added` called with every slot that is made known from now on, before anybody holds it. */
  onAdd(added: (slot: number) => void): void {
    this.#added = added;
  }

  /** Keeps every slot with its key until the returned function is called; calling that again does nothing. */
  pin(): () => void {
    let pinned = true;
    this.#pins++;
    return () => {
      if (pinned) this.#pins--;
      pinned = false;
    };
  }

  /** Makes `slot` known; it is reclaimed unless somebody holds it by then. */
  add(slot: number): void {
    if (slot >= this.#holders.length) this.#grow(slot);
    this.#holders[slot] = 0;
    this.#candidate(slot);
    this.#added(slot);
  }

  hold(slot: number): void {
    this.#holders[slot] = (this.#holders[slot] as number) + 1;
  }

  drop(slot: number): void {
    const left = (this.#holders[slot] as number) - 1;
    invariant(left >= 0, `slot ${slot} is dropped more often than held`);
    this.#holders[slot] = left;
    if (left === 0) this.#candidate(slot);
  }

  /** Calls `free` for every slot that nobody holds. Call between batches only. */
  reclaim(free: (slot: number) => void): void {
    if (this.#candidates.length === 0 || this.#pins > 0) return;
    const candidates = this.#candidates;
    this.#candidates = [];
    for (const slot of candidates) {
      this.#queued[slot] = 0;
      if (this.#holders[slot] === 0) free(slot);
    }
  }

  #candidate(slot: number): void {
    if (this.#queued[slot] === 1) return;
    this.#queued[slot] = 1;
    this.#candidates.push(slot);
  }

  #grow(slot: number): void {
    const capacity = Math.max(this.#holders.length * 2, slot + 1);
    const holders = new Int32Array(capacity);
    holders.set(this.#holders);
    this.#holders = holders;
    const queued = new Uint8Array(capacity);
    queued.set(this.#queued);
    this.#queued = queued;
  }
}
