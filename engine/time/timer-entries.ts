const NONE = -1;
/** A slot with more timers than this finds them by a map. */
const WALKED_MAX = 32;

/**
 * The timers of a queue in flat arrays, each in two lists: of its time, and of its slot.
 *
 * ```text
 * #times[e]        epoch ms
 * #links[5·e …]    slot | next of the time, previous (a ring) | next of the slot, previous (NONE at its ends)
 * #firsts[slot]    the slot's first, or NONE
 * ```
 *
 * A free entry's «next of the time» is the next free one.
 *
 * TE1 every entry is in the ring of its time and in the list of its slot, once each.
 * TE2 a slot with more than WALKED_MAX timers has a map of them; a slot that once had keeps it until its last one goes.
 */
export class TimerEntries {
  size = 0;
  #times = new Float64Array(256);
  #links = new Int32Array(256 * 5);
  #firsts = new Int32Array(1024).fill(NONE);
  readonly #byTime = new Map<number, Map<number, number>>();
  #free = NONE;
  #used = 0;

  slotOf(entry: number): number {
    return this.#links[entry * 5] as number;
  }

  /** The slot's entry for `time`, or −1. */
  find(slot: number, time: number): number {
    let entry = slot < this.#firsts.length ? (this.#firsts[slot] as number) : NONE;
    for (let left = WALKED_MAX; entry !== NONE; entry = this.#links[entry * 5 + 3] as number) {
      if (this.#times[entry] === time) return entry;
      if (--left === 0) return this.#mapOf(slot).get(time) ?? NONE;
    }
    return NONE;
  }

  /** Adds a pair that is not there. @param first of the ring of its time, or −1; the new entry is its last then */
  add(slot: number, time: number, first: number): number {
    if (slot >= this.#firsts.length) this.#growSlots(slot);
    const entry = this.#take();
    const links = this.#links;
    const at = entry * 5;
    this.#times[entry] = time;
    links[at] = slot;
    const next = first < 0 ? entry : first;
    const previous = first < 0 ? entry : (links[first * 5 + 2] as number);
    links[at + 1] = next;
    links[at + 2] = previous;
    links[previous * 5 + 1] = entry;
    links[next * 5 + 2] = entry;
    const after = this.#firsts[slot] as number;
    links[at + 3] = after;
    links[at + 4] = NONE;
    if (after !== NONE) links[after * 5 + 4] = entry;
    this.#firsts[slot] = entry;
    if (this.#byTime.size > 0) this.#byTime.get(slot)?.set(time, entry);
    this.size++;
    return entry;
  }

  /** The entry that was next in its ring, or −1 when it was the only one. */
  remove(entry: number): number {
    const links = this.#links;
    const at = entry * 5;
    const slot = links[at] as number;
    const next = links[at + 1] as number;
    const previous = links[at + 2] as number;
    links[previous * 5 + 1] = next;
    links[next * 5 + 2] = previous;
    const after = links[at + 3] as number;
    const before = links[at + 4] as number;
    if (after !== NONE) links[after * 5 + 4] = before;
    if (before === NONE) this.#firsts[slot] = after;
    else links[before * 5 + 3] = after;
    if (this.#byTime.size > 0) this.#unmap(slot, this.#times[entry] as number);
    links[at + 1] = this.#free;
    this.#free = entry;
    this.size--;
    return next === entry ? NONE : next;
  }

  /** Every entry of a ring, from its first. */
  forEachFrom(first: number, visit: (entry: number) => void): void {
    let entry = first;
    do {
      visit(entry);
      entry = this.#links[entry * 5 + 1] as number;
    } while (entry !== first);
  }

  forEachOf(slot: number, visit: (time: number) => void): void {
    let entry = slot < this.#firsts.length ? (this.#firsts[slot] as number) : NONE;
    for (; entry !== NONE; entry = this.#links[entry * 5 + 3] as number) visit(this.#times[entry] as number);
  }

  #mapOf(slot: number): ReadonlyMap<number, number> {
    const known = this.#byTime.get(slot);
    if (known !== undefined) return known;
    const entries = new Map<number, number>();
    for (let e = this.#firsts[slot] as number; e !== NONE; e = this.#links[e * 5 + 3] as number)
      entries.set(this.#times[e] as number, e);
    this.#byTime.set(slot, entries);
    return entries;
  }

  #unmap(slot: number, time: number): void {
    const entries = this.#byTime.get(slot);
    if (entries === undefined) return;
    entries.delete(time);
    if (entries.size === 0) this.#byTime.delete(slot);
  }

  #take(): number {
    const entry = this.#free;
    if (entry !== NONE) {
      this.#free = this.#links[entry * 5 + 1] as number;
      return entry;
    }
    if (this.#used === this.#times.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
    const links = new Int32Array(this.#links.length * 2);
    links.set(this.#links);
    this.#links = links;
  }

  #growSlots(slot: number): void {
    const firsts = new Int32Array(Math.max(this.#firsts.length * 2, slot + 1)).fill(NONE);
    firsts.set(this.#firsts);
    this.#firsts = firsts;
  }
}
