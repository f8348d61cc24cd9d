/**
 * Event-time timers by slot: one bucket per distinct timestamp, a heap over the distinct timestamps only.
 *
 * TQ1 a (slot, time) pair is registered at most once.
 * TQ2 timers fire in time order; within one time in the order they were registered.
 */
export class TimerQueue {
  readonly #buckets = new Map<number, Set<number>>();
  readonly #heap: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Time of the earliest timer, or null. */
  get next(): number | null {
    for (let time = this.#heap[0]; time !== undefined; time = this.#heap[0]) {
      if ((this.#buckets.get(time) as Set<number>).size > 0) return time;
      this.#buckets.delete(time);
      this.#pop();
    }
    return null;
  }

  /** True when the timer is new. */
  add(slot: number, time: number): boolean {
    let bucket = this.#buckets.get(time);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(time, bucket);
      this.#push(time);
    }
    if (bucket.has(slot)) return false;
    bucket.add(slot);
    this.#size++;
    return true;
  }

  /** True when the timer existed. */
  delete(slot: number, time: number): boolean {
    const existed = this.#buckets.get(time)?.delete(slot) ?? false;
    if (existed) this.#size--;
    return existed;
  }

  /** Takes the earliest timer due at `watermark`, or null. A timer added meanwhile for a due time fires too. */
  takeDue(watermark: number): { readonly slot: number; readonly time: number } | null {
    for (let time = this.#heap[0]; time !== undefined && time <= watermark; time = this.#heap[0]) {
      const bucket = this.#buckets.get(time) as Set<number>;
      for (const slot of bucket) {
        bucket.delete(slot);
        this.#size--;
        return { slot, time };
      }
      this.#buckets.delete(time);
      this.#pop();
    }
    return null;
  }

  /** Calls `visit` for every timer, in no particular order. */
  forEach(visit: (slot: number, time: number) => void): void {
    for (const [time, slots] of this.#buckets) for (const slot of slots) visit(slot, time);
  }

  #push(time: number): void {
    const heap = this.#heap;
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
