import type { SlotTable } from '#engine';
import { type TumblingWindows, windowStart } from './assigner.ts';
import type { CellPlan } from './cells.ts';
import { Pane } from './pane.ts';

/** Closed panes kept for reuse. */
const POOL_MAX = 4;

/**
 * The open panes of one operator, by start.
 *
 * WS1 a pane exists exactly for windows that have a record and whose `end − 1 + lateness` lies above the watermark.
 */
export class WindowSet {
  readonly #windows: TumblingWindows;
  readonly #latenessMs: number;
  readonly #plan: CellPlan;
  readonly #slots: SlotTable;
  readonly #open = new Map<number, Pane>();
  readonly #pool: Pane[] = [];
  /** The pane that was used last; never null, so that generated loops compare without a null check. */
  current: Pane;
  watermark: number;

  constructor(
    windows: TumblingWindows,
    latenessMs: number,
    plan: CellPlan,
    slots: SlotTable,
    watermark: number,
  ) {
    this.#windows = windows;
    this.#latenessMs = latenessMs;
    this.#plan = plan;
    this.#slots = slots;
    this.watermark = watermark;
    this.current = new Pane(plan, slots);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Panes by rising start. */
  sorted(): Pane[] {
    return [...this.#open.values()].sort((a, b) => a.start - b.start);
  }

  /** The pane of the window that holds `time`, or null when that window is closed for good. */
  paneAt(time: number): Pane | null {
    const start = windowStart(time, this.#windows.offsetMs, this.#windows.sizeMs);
    const known = this.#open.get(start);
    if (known !== undefined) {
      this.current = known;
      return known;
    }
    return start + this.#windows.sizeMs - 1 + this.#latenessMs <= this.watermark ? null : this.add(start);
  }

  /** Opens the pane that starts at `start`. */
  add(start: number): Pane {
    const pane = this.#pool.pop() ?? new Pane(this.#plan, this.#slots);
    pane.start = start;
    pane.end = start + this.#windows.sizeMs;
    pane.fired = pane.end - 1 <= this.watermark;
    this.#open.set(start, pane);
    this.current = pane;
    return pane;
  }

  /** Panes whose first result is due at the watermark, oldest first. */
  due(): Pane[] {
    return this.sorted().filter((pane) => !pane.fired && pane.end - 1 <= this.watermark);
  }

  /** Forgets panes that nothing can reach any more. */
  expire(): void {
    for (const pane of this.sorted()) {
      if (pane.end - 1 + this.#latenessMs > this.watermark) return;
      this.#open.delete(pane.start);
      pane.clear();
      if (this.#pool.length < POOL_MAX) this.#pool.push(pane);
    }
  }
}
