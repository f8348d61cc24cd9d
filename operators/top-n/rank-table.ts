import type { SlotTable } from '#engine';

/** One key's ranked rows as stored, in rank order. */
export interface StoredRanks {
  readonly scores: readonly number[];
  readonly times: readonly number[];
  readonly rows: readonly unknown[];
}

/** The best rows of every key. Lower scores are better; ties go to the earlier time, then to the earlier arrival. */
export interface RankStore {
  /** Slots that have rows, each held until {@link clear}. */
  readonly slots: readonly number[];
  /** Takes a row into account; true when the key's best `n` have changed. */
  readonly offer: (slot: number, score: number, time: number, row: unknown) => boolean;
  /** The best rows, best first; a new array. */
  readonly top: (slot: number) => unknown[];
  /** Everything kept of a slot, in rank order: offered again in this order, it makes the same store. */
  readonly stored: (slot: number) => StoredRanks;
  readonly clear: () => void;
}

/**
 * Exactly the best `n` rows per slot, in flat arrays. A slot's first row gives it a line of `n` places:
 *
 * ```text
 * lineOf[slot] = line + 1, 0 = none      worst[slot] = the score to beat, +∞ while the line has room
 * scores, times, rows [line · n + rank]  counts[line]
 * ```
 *
 * RT1 a score above `worst[slot]` changes nothing: generated loops test that before anything else.
 */
export class RankTable implements RankStore {
  readonly #n: number;
  readonly #holders: SlotTable;
  /** Per slot the score to beat; undefined beyond its length means that any score does. */
  worst = new Float64Array(0);
  #lineOf = new Int32Array(0);
  #counts: Int32Array;
  #scores: Float64Array;
  #times: Float64Array;
  readonly #rows: unknown[] = [];
  slots: number[] = [];

  constructor(n: number, holders: SlotTable) {
    this.#n = n;
    this.#holders = holders;
    const lines = Math.ceil(1024 / n);
    this.#counts = new Int32Array(lines);
    this.#scores = new Float64Array(lines * n);
    this.#times = new Float64Array(lines * n);
  }

  offer(slot: number, score: number, time: number, row: unknown): boolean {
    if (score > (this.worst[slot] as number)) return false;
    const n = this.#n;
    const line = this.#line(slot);
    const first = line * n;
    const count = this.#counts[line] as number;
    const scores = this.#scores;
    const times = this.#times;
    let at = first + count;
    while (at > first) {
      const other = scores[at - 1] as number;
      if (other < score || (other === score && (times[at - 1] as number) <= time)) break;
      at--;
    }
    const last = first + n - 1;
    if (at > last) return false;
    const end = Math.min(first + count, last);
    const rows = this.#rows;
    for (let to = end; to > at; to--) {
      scores[to] = scores[to - 1] as number;
      times[to] = times[to - 1] as number;
      rows[to] = rows[to - 1];
    }
    scores[at] = score;
    times[at] = time;
    rows[at] = row;
    if (count < n) this.#counts[line] = count + 1;
    if (count + 1 >= n) this.worst[slot] = scores[last] as number;
    return true;
  }

  top(slot: number): unknown[] {
    const { first, count } = this.#range(slot);
    return this.#rows.slice(first, first + count);
  }

  stored(slot: number): StoredRanks {
    const { first, count } = this.#range(slot);
    return {
      scores: [...this.#scores.subarray(first, first + count)],
      times: [...this.#times.subarray(first, first + count)],
      rows: this.#rows.slice(first, first + count),
    };
  }

  clear(): void {
    this.#rows.length = 0;
    for (const slot of this.slots) {
      this.#lineOf[slot] = 0;
      this.worst[slot] = Number.POSITIVE_INFINITY;
      this.#holders.drop(slot);
    }
    this.slots = [];
  }

  #range(slot: number): { readonly first: number; readonly count: number } {
    const line = (this.#lineOf[slot] ?? 0) - 1;
    return line < 0 ? { first: 0, count: 0 } : { first: line * this.#n, count: this.#counts[line] as number };
  }

  #line(slot: number): number {
    const known = this.#lineOf[slot];
    if (known !== undefined && known > 0) return known - 1;
    if (known === undefined) this.#growSlots(slot);
    const line = this.slots.length;
    if (line === this.#counts.length) this.#growLines();
    this.slots.push(slot);
    this.#holders.hold(slot);
    this.#lineOf[slot] = line + 1;
    this.#counts[line] = 0;
    // The array stays packed: every place exists before it is written out of order.
    for (let i = 0; i < this.#n; i++) this.#rows.push(undefined);
    return line;
  }

  #growSlots(slot: number): void {
    const capacity = Math.max(this.worst.length * 2, slot + 1, 1024);
    const worst = new Float64Array(capacity).fill(Number.POSITIVE_INFINITY);
    worst.set(this.worst);
    this.worst = worst;
    const lineOf = new Int32Array(capacity);
    lineOf.set(this.#lineOf);
    this.#lineOf = lineOf;
  }

  #growLines(): void {
    const capacity = this.#counts.length * 2;
    const counts = new Int32Array(capacity);
    counts.set(this.#counts);
    this.#counts = counts;
    const scores = new Float64Array(capacity * this.#n);
    scores.set(this.#scores);
    this.#scores = scores;
    const times = new Float64Array(capacity * this.#n);
    times.set(this.#times);
    this.#times = times;
  }
}
