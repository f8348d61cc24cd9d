/** Slots of one time, in the order they were registered. Most times have one only, and need no set. */
type Bucket = number | Set<number>;

/**
 * Event-time timers by slot: one bucket per distinct timestamp, a heap over the distinct timestamps only.
 *
 * TQ1 a (slot, time) pair is registered at most once.
 * TQ2 timers fire in time order; within one time in the order they were registered.
 */
export class TimerQueue {
  readonly #buckets = new Map<number, Bucket>();
  /** Times with a bucket, each at least once, and some whose timers were deleted. */
  readonly #heap: number[] = [];
  #size = 0;
  /** Walks the bucket that is firing: to begin anew for each timer would walk over all that have fired. */
  #firing: { readonly time: number; readonly slots: Iterator<number> } | null = null;

  get size(): number {
    return this.#size;
  }

  /** Time of the earliest timer, or null. */
  get next(): number | null {
    for (let time = this.#heap[0]; time !== undefined; time = this.#heap[0]) {
      if (this.#buckets.has(time)) return time;
      this.#pop();
    }
    return null;
  }

  /** True when the timer is new. */
  add(slot: number, time: number): boolean {
    const bucket = this.#buckets.get(time);
    if (bucket === undefined) {
      this.#buckets.set(time, slot);
      this.#push(time);
    } else if (typeof bucket === 'number') {
      if (bucket === slot) return false;
      this.#buckets.set(time, new Set<number>().add(bucket).add(slot));
    } else {
      if (bucket.has(slot)) return false;
      bucket.add(slot);
    }
    this.#size++;
    return true;
  }

  /** True when the timer existed. */
  delete(slot: number, time: number): boolean {
    const bucket = this.#buckets.get(time);
    const existed = typeof bucket === 'number' ? bucket === slot : (bucket?.has(slot) ?? false);
    if (existed) this.#remove(bucket as Bucket, slot, time);
    return existed;
  }

  /** Takes the earliest timer due at `watermark`, or null. A timer added meanwhile for a due time fires too. */
  takeDue(watermark: number): { readonly slot: number; readonly time: number } | null {
    for (let time = this.#heap[0]; time !== undefined && time <= watermark; time = this.#heap[0]) {
      const bucket = this.#buckets.get(time);
      if (bucket === undefined) {
        this.#pop();
        continue;
      }
      const slot = typeof bucket === 'number' ? bucket : this.#nextOf(bucket, time);
      this.#remove(bucket, slot, time);
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
      const bucket = this.#buckets.get(time);
      this.#pop();
      if (bucket === undefined) continue;
      this.#buckets.delete(time);
      this.#size -= typeof bucket === 'number' ? 1 : bucket.size;
      if (typeof bucket === 'number') visit(bucket);
      else for (const slot of bucket) visit(slot);
      return true;
    }
    return false;
  }

  /** Calls `visit` for every timer, in no particular order. */
  forEach(visit: (slot: number, time: number) => void): void {
    for (const [time, bucket] of this.#buckets) {
      if (typeof bucket === 'number') visit(bucket, time);
      else for (const slot of bucket) visit(slot, time);
    }
  }

  #nextOf(bucket: Set<number>, time: number): number {
    if (this.#firing?.time !== time) this.#firing = { time, slots: bucket.values() };
    const { done, value } = this.#firing.slots.next();
    if (done !== true) return value;
    this.#firing = null;
    return this.#nextOf(bucket, time);
  }

  #remove(bucket: Bucket, slot: number, time: number): void {
    this.#size--;
    if (typeof bucket !== 'number') {
      bucket.delete(slot);
      if (bucket.size > 0) return;
      if (this.#firing?.time === time) this.#firing = null;
    }
    this.#buckets.delete(time);
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
