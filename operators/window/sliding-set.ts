import { plusSaturating, type SlotTable, type Waiting } from '#engine';
import { paneBounds, type SlidingWindows, windowStart } from './assigner.ts';
import { Pane, type PaneShape, paneShape } from './pane.ts';
import { SlidingMerge } from './sliding-merge.ts';
import { type Give, lastTime, type OpenWindows } from './window-set.ts';
import type { WindowSpec } from './window-spec.ts';

/** Closed panes kept for reuse. */
const POOL_MAX = 4;

/**
 * Sliding windows over panes: time is cut wherever a window begins or ends, so that each window is a run of whole panes and each
 * record is in one. There are at most two cuts per slide, whatever size and slide have in common.
 *
 *     size 5, slide 2    windows [0 5) [2 7) [4 9) …
 *     panes              [0 1) [1 2) [2 3) [3 4) …     cuts at n·slide and at n·slide + size mod slide
 *
 * Source: Krishnamurthy, Wu, Franklin, On-the-fly sharing for streamed aggregation (SIGMOD 2006), paired windows.
 *
 * SL1 a pane exists exactly while it has a record and a window around it that is not over.
 * SL2 a pane is `fired` exactly when a window around it is due at the watermark: only then a record must be told to `refire`.
 */
export class SlidingSet implements OpenWindows {
  readonly #spec: WindowSpec;
  readonly #windows: SlidingWindows;
  readonly #shape: PaneShape;
  readonly #byStart = new Map<number, Pane>();
  /** By rising start. */
  readonly #panes: Pane[] = [];
  readonly #pool: Pane[] = [];
  readonly #merge: SlidingMerge;
  current: Pane;
  watermark: number;

  constructor(spec: WindowSpec, windows: SlidingWindows, slots: SlotTable, watermark: number) {
    this.#spec = spec;
    this.#windows = windows;
    this.#shape = paneShape(spec, slots);
    this.watermark = watermark;
    this.current = this.#newPane();
    this.#merge = new SlidingMerge(windows, () => this.#newPane());
  }

  get size(): number {
    return this.#panes.length;
  }

  panes(): readonly Pane[] {
    return this.#panes;
  }

  paneAt(time: number): Pane | null {
    const { start } = this.boundsAt(time);
    const known = this.#byStart.get(start);
    if (known !== undefined) {
      this.current = known;
      return known;
    }
    return !this.covers(time) || this.#isOver(this.#lastEnd(start)) ? null : this.open(start);
  }

  boundsAt(time: number): { readonly start: number; readonly end: number } {
    return paneBounds(time, this.#windows);
  }

  covers(time: number): boolean {
    return time < this.#lastEnd(time);
  }

  open(start: number): Pane {
    const pane = this.#pool.pop() ?? this.#newPane();
    pane.start = start;
    pane.end = this.boundsAt(start).end;
    pane.fired = this.#isDue(pane);
    this.#byStart.set(start, pane);
    this.#panes.splice(this.#indexFrom(start), 0, pane);
    this.current = pane;
    return pane;
  }

  advance(watermark: number, give: Give): void {
    const before = this.watermark;
    this.watermark = watermark;
    this.#eachWindow(before, watermark, (start, from, to) => this.#give(start, from, to, give));
    for (const pane of this.#panes) {
      if (!this.#isDue(pane)) break;
      pane.fired = true;
    }
    let over = 0;
    for (const pane of this.#panes) {
      if (!this.#isOver(this.#lastEnd(pane.start))) break;
      this.#byStart.delete(pane.start);
      pane.clear();
      if (this.#pool.length < POOL_MAX) this.#pool.push(pane);
      over++;
    }
    this.#panes.splice(0, over);
    if (this.#panes.length === 0) this.#merge.clear();
  }

  refire(pane: Pane, slot: number, give: Give): void {
    const { sizeMs, slideMs } = this.#windows;
    this.#merge.disturb(slot);
    const latest = this.#lastStart(pane.start);
    for (let start = this.#firstEnd(pane) - sizeMs; start <= latest; start += slideMs) {
      const end = start + sizeMs;
      if (lastTime(end) > this.watermark) return;
      if (this.#isOver(end)) continue;
      const merged = this.#merge.ofSlot(slot, this.#panes, this.#indexFrom(start), this.#indexFrom(end));
      give(merged, [slot], start, end);
      merged.clear();
    }
  }

  waiting(): Waiting | null {
    let until: number | null = null;
    let count = 0;
    this.#eachWindow(this.watermark, Number.POSITIVE_INFINITY, (start) => {
      until ??= lastTime(start + this.#windows.sizeMs);
      count++;
    });
    return until === null ? null : { what: 'window', until, count };
  }

  #give(start: number, from: number, to: number, give: Give): void {
    const end = start + this.#windows.sizeMs;
    if (to - from === 1) {
      const pane = this.#panes[from] as Pane;
      give(pane, pane.touched, start, end);
      return;
    }
    const merged = this.#merge.ofWindow(start, end, this.#panes, from, to);
    give(merged, merged.touched, start, end);
    merged.clear();
  }

  /** Windows with a record that become due when the watermark goes from `after` to `upTo`, oldest first, with their range of panes. */
  #eachWindow(
    after: number,
    upTo: number,
    visit: (start: number, fromPane: number, toPane: number) => void,
  ): void {
    const { sizeMs, slideMs } = this.#windows;
    const panes = this.#panes;
    const [oldest] = panes;
    if (oldest === undefined) return;
    let from = 0;
    let start = this.#startFrom(Math.max(after + 2, oldest.start + 1) - sizeMs);
    for (; lastTime(start + sizeMs) <= upTo; start += slideMs) {
      while (from < panes.length && (panes[from] as Pane).start < start) from++;
      const next = panes[from];
      if (next === undefined) return;
      if (next.start >= start + sizeMs) {
        start = this.#startFrom(next.start + 1 - sizeMs);
        if (lastTime(start + sizeMs) > upTo) return;
      }
      let to = from + 1;
      while (to < panes.length && (panes[to] as Pane).start < start + sizeMs) to++;
      visit(start, from, to);
    }
  }

  #isOver(end: number): boolean {
    return plusSaturating(lastTime(end), this.#spec.allowedLatenessMs) <= this.watermark;
  }

  #isDue(pane: Pane): boolean {
    return lastTime(this.#firstEnd(pane)) <= this.watermark;
  }

  /** End of the first window around the pane. */
  #firstEnd(pane: Pane): number {
    const { sizeMs } = this.#windows;
    return this.#startFrom(pane.end - sizeMs) + sizeMs;
  }

  /** End of the last window that begins at or before `time`. */
  #lastEnd(time: number): number {
    return this.#lastStart(time) + this.#windows.sizeMs;
  }

  #lastStart(time: number): number {
    return windowStart(time, this.#windows.offsetMs, this.#windows.slideMs);
  }

  /** Start of the first window that begins at or after `time`. */
  #startFrom(time: number): number {
    const start = this.#lastStart(time);
    return start < time ? start + this.#windows.slideMs : start;
  }

  /** Index of the first pane that starts at or after `start`. */
  #indexFrom(start: number): number {
    let low = 0;
    let high = this.#panes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#panes[middle] as Pane).start < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #newPane(): Pane {
    return new Pane(this.#shape);
  }
}
