import { TimeTable } from './time-table.ts';
import { TimerEntries } from './timer-entries.ts';

/**
 * Event-time timers by slot: one bucket per distinct timestamp, a heap over the distinct timestamps only. A slot's timers are also
 * found by the slot, so that a snapshot may take them key by key.
 *
 * TQ1 a (slot, time) pair is registered at most once.
 * TQ2 timers fire in time order; within one time in the order they were registered.
 */
export class TimerQueue {
  readonly #entries = new TimerEntries();
  /** By time: the first of a ring of entries. */
  readonly #buckets = new TimeTable();
  /** Times with a bucket, each at least once, and some whose timers were deleted: no more of those than of the others. */
  #heap: number[] = [];

  get size(): number {
    return this.#entries.size;
  }

  /** Time of the earliest timer, or null. */
  get next(): number | null {
    for (let time = this.#heap[0]; time !== undefined; time = this.#heap[0]) {
      if (this.#buckets.get(time) >= 0) return time;
      this.#pop();
    }
    return null;
  }

  /** True when the timer is new. */
  add(slot: number, time: number): boolean {
    const entries = this.#entries;
    if (entries.find(slot, time) >= 0) return false;
    const first = this.#buckets.get(time);
    const entry = entries.add(slot, time, first);
    if (first >= 0) return true;
    this.#buckets.set(time, entry);
    this.#push(time);
    return true;
  }

  /** True when the timer existed. */
  delete(slot: number, time: number): boolean {
    const entry = this.#entries.find(slot, time);
    if (entry < 0) return false;
    this.#remove(entry, time, this.#buckets.get(time));
    return true;
  }

  /**
   * Takes the earliest timer due at `watermark`, or null. A timer added meanwhile for a due time fires too.
   * @param before called with its slot while it is still there
   */
  takeDue(
    watermark: number,
    before?: (slot: number) => void,
  ): { readonly slot: number; readonly time: number } | null {
    for (let time = this.#heap[0]; time !== undefined && time <= watermark; time = this.#heap[0]) {
      const first = this.#buckets.get(time);
      if (first < 0) {
        this.#pop();
        continue;
      }
      const slot = this.#entries.slotOf(first);
      before?.(slot);
      this.#remove(first, time, first);
      return { slot, time };
    }
    return null;
  }

  /**
   * Takes all timers of the earliest time due at `watermark` at once, and calls `visit` for each; false when none is due. Cheaper than
   * one by one, for who sets none for that time meanwhile.
   */
  takeDueTogether(watermark: number, visit: (slot: number) => void): boolean {
    for (let time = this.#heap[0]; time !== undefined && time <= watermark; time = this.#heap[0]) {
      const first = this.#buckets.get(time);
      this.#pop();
      if (first < 0) continue;
      this.#buckets.delete(time);
      for (let entry = first; entry >= 0; ) {
        const slot = this.#entries.slotOf(entry);
        entry = this.#entries.remove(entry);
        visit(slot);
      }
      return true;
    }
    return false;
  }

  /** Calls `visit` for every timer, in no particular order. */
  forEach(visit: (slot: number, time: number) => void): void {
    this.#buckets.forEach((time, first) =>
      this.#entries.forEachFrom(first, (entry) => visit(this.#entries.slotOf(entry), time)),
    );
  }

  /** Calls `visit` for every timer of one slot, in no particular order. */
  forEachOf(slot: number, visit: (time: number) => void): void {
    this.#entries.forEachOf(slot, visit);
  }

  #remove(entry: number, time: number, first: number): void {
    const next = this.#entries.remove(entry);
    if (next < 0) this.#buckets.delete(time);
    else if (entry === first) this.#buckets.set(time, next);
  }

  #push(time: number): void {
    const heap = this.#heap;
    if (heap.length > 2 * this.#buckets.size + 64) {
      // Sorted is a heap. What was deleted before it was due must not pile up.
      this.#heap = [];
      this.#buckets.forEach((bucket) => this.#heap.push(bucket));
      this.#heap.sort((a, b) => a - b);
      return;
    }
    let at = heap.length;
    heap.push(time);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) <= time) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = time;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as number;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= last) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = last;
  }
}
