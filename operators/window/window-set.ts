import { MAX_WATERMARK, plusSaturating, type SlotTable, type Waiting } from '#engine';
import { windowStart } from './assigner.ts';
import { Pane, type PaneShape, paneShape } from './pane.ts';
import type { WindowSpec } from './window-spec.ts';

/** Closed panes kept for reuse. */
const POOL_MAX = 4;

/** Gives some keys' results of the window from `start`; `pane` holds what the window saw. */
export type Give = (pane: Pane, slots: readonly number[], start: number, end: number) => void;

/** Open windows and the panes they are made of. */
export interface OpenWindows {
  /** The pane that was used last; never null, so that generated loops compare without a null check. */
  readonly current: Pane;
  /** Set it on restore only. */
  watermark: number;
  /** Open panes. */
  readonly size: number;
  /** The pane for records of `time`, or null when no window that is not over holds it. */
  readonly paneAt: (time: number) => Pane | null;
  /** False when no window holds `time`, over or not. */
  readonly covers: (time: number) => boolean;
  /** Raises the watermark: gives each result that becomes due, oldest window first, then forgets what is over. */
  readonly advance: (watermark: number, give: Give) => void;
  /** After a late record in `pane`: gives the key's results again of each window around it that has given its own and is not over. */
  readonly refire: (pane: Pane, slot: number, give: Give) => void;
  /** Panes by rising start. */
  readonly panes: () => readonly Pane[];
  /** Bounds of the pane that holds `time`, open or not. */
  readonly boundsAt: (time: number) => { readonly start: number; readonly end: number };
  /** Opens the pane that starts at `start`, on restore. */
  readonly open: (start: number) => Pane;
  readonly waiting: () => Waiting | null;
}

/**
 * Tumbling windows, by start: each is one pane.
 *
 * WS1 a pane exists exactly for windows that have a record and whose `end − 1 + lateness` lies above the watermark.
 * WS2 the keys of a window that is over are held for the length of one more: most come again, and to forget and learn a key costs
 *     more than its records do.
 */
export class WindowSet implements OpenWindows {
  readonly #spec: WindowSpec;
  readonly #shape: PaneShape;
  readonly #open = new Map<number, Pane>();
  readonly #pool: Pane[] = [];
  readonly #slots: SlotTable;
  /** Keys of windows that are over, by rising end of the window. */
  readonly #leaving: { readonly end: number; readonly slots: readonly number[] }[] = [];
  current: Pane;
  watermark: number;

  constructor(spec: WindowSpec, slots: SlotTable, watermark: number) {
    this.#spec = spec;
    this.#shape = paneShape(spec, slots);
    this.#slots = slots;
    this.watermark = watermark;
    this.current = new Pane(this.#shape);
  }

  get size(): number {
    return this.#open.size;
  }

  panes(): Pane[] {
    return [...this.#open.values()].sort((a, b) => a.start - b.start);
  }

  paneAt(time: number): Pane | null {
    const { start, end } = this.boundsAt(time);
    const known = this.#open.get(start);
    if (known !== undefined) {
      this.current = known;
      return known;
    }
    return this.#isOver(end) ? null : this.open(start);
  }

  boundsAt(time: number): { readonly start: number; readonly end: number } {
    const { offsetMs, sizeMs } = this.#spec.windows;
    const start = windowStart(time, offsetMs, sizeMs);
    return { start, end: start + sizeMs };
  }

  covers(): boolean {
    return true;
  }

  open(start: number): Pane {
    const pane = this.#pool.pop() ?? new Pane(this.#shape);
    pane.start = start;
    pane.end = start + this.#spec.windows.sizeMs;
    pane.fired = lastTime(pane.end) <= this.watermark;
    this.#open.set(start, pane);
    this.current = pane;
    return pane;
  }

  advance(watermark: number, give: Give): void {
    this.watermark = watermark;
    const panes = this.panes();
    for (const pane of panes) {
      if (pane.fired || lastTime(pane.end) > this.watermark) continue;
      pane.fired = true;
      give(pane, pane.touched, pane.start, pane.end);
    }
    for (const pane of panes) {
      const { start, end } = pane;
      if (!this.#isOver(end)) break;
      this.#open.delete(start);
      this.#leaving.push({ end, slots: pane.empty() });
      if (this.#pool.length < POOL_MAX) this.#pool.push(pane);
    }
    this.#letGo();
  }

  refire(pane: Pane, slot: number, give: Give): void {
    give(pane, [slot], pane.start, pane.end);
  }

  waiting(): Waiting | null {
    const unfired = this.panes().filter((pane) => !pane.fired);
    const [next] = unfired;
    return next === undefined ? null : { what: 'window', until: lastTime(next.end), count: unfired.length };
  }

  /** What has been over for the length of a window (WS2). */
  #letGo(): void {
    const { sizeMs } = this.#spec.windows;
    while (this.#leaving[0] !== undefined && this.#isOver(this.#leaving[0].end + sizeMs))
      for (const slot of this.#leaving.shift()?.slots ?? []) this.#slots.drop(slot);
  }

  #isOver(end: number): boolean {
    return plusSaturating(lastTime(end), this.#spec.allowedLatenessMs) <= this.watermark;
  }
}

/** The last time in a window that ends at `end`: when its result is due, and the result's own time. */
export function lastTime(end: number): number {
  return Math.min(end - 1, MAX_WATERMARK);
}
