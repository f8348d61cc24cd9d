/** Places of a slot's first region; regions double. */
const REGION_MIN = 4;
const NONE = -1;

/**
 * The rows that one side of a join keeps, by slot, sorted by time; rows of one time in the order they came. All lie in three
 * columns, in which every slot that has rows owns a region of `REGION_MIN × 2ⁿ` places; per slot:
 *
 * ```text
 * #lists[4 × slot …]   base, n, head, end        rows are at head … end − 1, base ≤ head ≤ end ≤ base + REGION_MIN × 2ⁿ
 * ```
 *
 * An array per slot took 2½ times the time: it spreads 10,000 keys over 12 MB instead of 1.
 * Joins read `times` and `rows` and write `flags` between `head(slot)` and `end(slot)`.
 *
 * TR1 `times` ascends from head to end. Places that are not in use hold no row, so that nothing is kept alive.
 * TR2 a region that ran empty or was outgrown serves the next slot that needs its size.
 */
export class TimedRows {
  times = new Float64Array(1024);
  readonly rows: unknown[] = [];
  /** One byte per row for the join's own use. */
  flags = new Uint8Array(1024);
  /** Rows kept. */
  size = 0;
  #lists = new Int32Array(0);
  /** Regions that nobody owns, by n. */
  readonly #free: number[][] = [];

  /** Slots below this may have rows. */
  get slots(): number {
    return this.#lists.length >>> 2;
  }

  head(slot: number): number {
    return slot * 4 < this.#lists.length ? (this.#lists[slot * 4 + 2] as number) : 0;
  }

  end(slot: number): number {
    return slot * 4 < this.#lists.length ? (this.#lists[slot * 4 + 3] as number) : 0;
  }

  isEmpty(slot: number): boolean {
    return this.head(slot) === this.end(slot);
  }

  add(slot: number, time: number, row: unknown, flag: number): void {
    const at = slot * 4;
    if (at >= this.#lists.length) this.#growLists(slot);
    if (this.#lists[at] === NONE) this.#open(at, 0);
    else if (
      this.#lists[at + 3] ===
      (this.#lists[at] as number) + (REGION_MIN << (this.#lists[at + 1] as number))
    )
      this.#makeRoom(at);
    const { times } = this;
    const head = this.#lists[at + 2] as number;
    let place = this.#lists[at + 3] as number;
    this.#lists[at + 3] = place + 1;
    for (; place > head && (times[place - 1] as number) > time; place--) this.#move(place - 1, place);
    times[place] = time;
    this.rows[place] = row;
    this.flags[place] = flag;
    this.size++;
  }

  /** Index of the slot's first row with a time ≥ `time`; its end when there is none. */
  firstFrom(slot: number, time: number): number {
    const { times } = this;
    let low = this.head(slot);
    let high = this.end(slot);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the slot's first row with a time > `time`; its end when there is none. */
  firstAfter(slot: number, time: number): number {
    const { times } = this;
    let low = this.head(slot);
    let high = this.end(slot);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Lets go of the slot's rows before index `to`; true when it has none left. */
  dropUntil(slot: number, to: number): boolean {
    const at = slot * 4;
    const head = this.#lists[at + 2] as number;
    for (let i = head; i < to; i++) this.rows[i] = undefined;
    this.size -= to - head;
    this.#lists[at + 2] = to;
    if (to < (this.#lists[at + 3] as number)) return false;
    this.#release(this.#lists[at] as number, this.#lists[at + 1] as number);
    this.#lists[at] = NONE;
    this.#lists[at + 2] = 0;
    this.#lists[at + 3] = 0;
    return true;
  }

  /** Moves the rows to the front of their region, or to one twice the size when half of it or more is in use. */
  #makeRoom(at: number): void {
    const base = this.#lists[at] as number;
    const n = this.#lists[at + 1] as number;
    const head = this.#lists[at + 2] as number;
    const end = this.#lists[at + 3] as number;
    const isFull = (end - head) * 2 > REGION_MIN << n;
    if (isFull) this.#open(at, n + 1);
    const start = this.#lists[at] as number;
    for (let i = head; i < end; i++) this.#move(i, start + i - head);
    for (let i = isFull ? head : start + end - head; i < end; i++) this.rows[i] = undefined;
    this.#lists[at + 2] = start;
    this.#lists[at + 3] = start + end - head;
    if (isFull) this.#release(base, n);
  }

  /** Gives the list at `at` an empty region. */
  #open(at: number, n: number): void {
    const base = this.#free[n]?.pop() ?? this.#extend(REGION_MIN << n);
    this.#lists[at] = base;
    this.#lists[at + 1] = n;
    this.#lists[at + 2] = base;
    this.#lists[at + 3] = base;
  }

  #release(base: number, n: number): void {
    while (this.#free.length <= n) this.#free.push([]);
    this.#free[n]?.push(base);
  }

  /** Start of new places at the end of the columns. */
  #extend(places: number): number {
    const base = this.rows.length;
    for (let i = 0; i < places; i++) this.rows.push(undefined);
    if (this.rows.length <= this.times.length) return base;
    const capacity = Math.max(this.times.length * 2, this.rows.length);
    const times = new Float64Array(capacity);
    times.set(this.times);
    this.times = times;
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
    return base;
  }

  #move(from: number, to: number): void {
    this.times[to] = this.times[from] as number;
    this.rows[to] = this.rows[from];
    this.flags[to] = this.flags[from] as number;
  }

  #growLists(slot: number): void {
    const lists = new Int32Array(Math.max(4096, this.#lists.length * 2, (slot + 1) * 4));
    lists.set(this.#lists);
    for (let at = this.#lists.length; at < lists.length; at += 4) lists[at] = NONE;
    this.#lists = lists;
  }
}
