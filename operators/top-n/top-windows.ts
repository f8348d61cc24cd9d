import { MIN_WATERMARK } from '#engine';
import { type TumblingWindows, windowStart } from '../window/assigner.ts';
import type { RankStore } from './rank-table.ts';

/** Closed panes kept for reuse. */
const POOL_MAX = 4;

/** One window's rankings, `start ≤ t < end`. */
export interface TopPane<Ranks extends RankStore = RankStore> {
  start: number;
  end: number;
  /** Its results have been given: changes are given at once. */
  fired: boolean;
  readonly ranks: Ranks;
}

/**
 * The panes of one top-N: of tumbling windows, or the one of all time, which has fired from the start.
 *
 * TW1 a window's pane exists while the window has had a row and `end − 1 + lateness` lies above the watermark.
 */
export class TopWindows<Ranks extends RankStore> {
  readonly #windows: TumblingWindows | null;
  readonly #latenessMs: number;
  readonly #create: () => Ranks;
  readonly #open = new Map<number, TopPane<Ranks>>();
  readonly #pool: TopPane<Ranks>[] = [];
  /** The pane used last; generated loops test it first. */
  current: TopPane<Ranks>;
  watermark = MIN_WATERMARK;

  constructor(windows: TumblingWindows | null, latenessMs: number, create: () => Ranks) {
    this.#windows = windows;
    this.#latenessMs = latenessMs;
    this.#create = create;
    const empty = { start: Number.POSITIVE_INFINITY, end: Number.NEGATIVE_INFINITY, fired: false };
    this.current = { ...empty, ranks: create() };
    if (windows === null) this.current = this.open(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  get size(): number {
    return this.#windows === null ? 0 : this.#open.size;
  }

  /** Panes by rising start. */
  sorted(): TopPane<Ranks>[] {
    return [...this.#open.values()].sort((a, b) => a.start - b.start);
  }

  /** The pane that holds `time`, or null when its window is closed for good. */
  paneAt(time: number): TopPane<Ranks> | null {
    const { current } = this;
    if (time >= current.start && time < current.end) return current;
    const { offsetMs, sizeMs } = this.#windows as TumblingWindows;
    const start = windowStart(time, offsetMs, sizeMs);
    const end = start + sizeMs;
    const pane = this.#open.get(start);
    if (pane === undefined)
      return end - 1 + this.#latenessMs <= this.watermark ? null : this.open(start, end);
    this.current = pane;
    return pane;
  }

  /** The pane of `[start, end)`, made when missing. */
  open(start: number, end: number): TopPane<Ranks> {
    const known = this.#open.get(start);
    if (known !== undefined) return known;
    const pane = this.#pool.pop() ?? { start, end, fired: false, ranks: this.#create() };
    pane.start = start;
    pane.end = end;
    pane.fired = this.#windows === null || end - 1 <= this.watermark;
    this.#open.set(start, pane);
    this.current = pane;
    return pane;
  }

  /** Panes whose first results are due at the watermark, oldest first. */
  due(): TopPane<Ranks>[] {
    return this.sorted().filter((pane) => !pane.fired && pane.end - 1 <= this.watermark);
  }

  /** End of the earliest window that has not given its results, and how many there are; null when none. */
  next(): { readonly end: number; readonly count: number } | null {
    const waiting = this.sorted().filter((pane) => !pane.fired);
    const [first] = waiting;
    return first === undefined ? null : { end: first.end, count: waiting.length };
  }

  /** Forgets panes that nothing can reach any more. @param before called with each that goes */
  expire(before: (pane: TopPane<Ranks>) => void): void {
    for (const pane of this.sorted()) {
      if (pane.end - 1 + this.#latenessMs > this.watermark) return;
      before(pane);
      this.#open.delete(pane.start);
      pane.ranks.clear();
      pane.start = Number.POSITIVE_INFINITY;
      pane.end = Number.NEGATIVE_INFINITY;
      if (this.#pool.length < POOL_MAX) this.#pool.push(pane);
    }
  }
}
