/** Records of one time, in order of arrival. */
export interface Bucket {
  readonly time: number;
  readonly slots: number[];
  readonly rows: unknown[];
}

/**
 * Records that wait for the watermark: one bucket per distinct time, a heap over the times. Records of many keys share a
 * bucket, so that a busy stream pays for a time, not for a record.
 */
export class RecordBuffer {
  readonly #buckets = new Map<number, Bucket>();
  readonly #heap: Bucket[] = [];
  #newest: Bucket | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The earliest time, or null. */
  get next(): number | null {
    return this.#heap[0]?.time ?? null;
  }

  add(row: unknown, time: number, slot: number): void {
    let bucket = this.#newest;
    if (bucket === null || bucket.time !== time) {
      bucket = this.#buckets.get(time) ?? this.#open(time);
      this.#newest = bucket;
    }
    bucket.slots.push(slot);
    bucket.rows.push(row);
    this.#size++;
  }

  /** Takes the earliest bucket, which must exist. */
  take(): Bucket {
    const bucket = this.#heap[0] as Bucket;
    this.#buckets.delete(bucket.time);
    if (this.#newest === bucket) this.#newest = null;
    this.#size -= bucket.slots.length;
    this.#pop();
    return bucket;
  }

  /** All buckets, in no particular order. */
  buckets(): Iterable<Bucket> {
    return this.#buckets.values();
  }

  #open(time: number): Bucket {
    const bucket: Bucket = { time, slots: [], rows: [] };
    this.#buckets.set(time, bucket);
    const heap = this.#heap;
    let at = heap.length;
    heap.push(bucket);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Bucket;
      if (above.time <= time) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = bucket;
    return bucket;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Bucket;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Bucket).time < (heap[child] as Bucket).time) child++;
      if ((heap[child] as Bucket).time >= last.time) break;
      heap[at] = heap[child] as Bucket;
      at = child;
    }
    heap[at] = last;
  }
}
