import { Delays, type Percentiles } from './delays.ts';
import type { PointWrite } from './written-points.ts';
import { dueOf, firstWindowDue } from './settings.ts';

/** The delays of one window: from its due time until each device's point was written. */
export interface WindowDelay {
  readonly windowStart: number;
  readonly points: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Engine delay of the live series, point by point. Every device has a point in every window; {@link points} lets a reader of the series check that. */
export class SeriesDelays {
  readonly #windowMs: number;
  readonly #measured: { readonly from: number; readonly to: number };
  readonly #delays: Delays;
  readonly #points = new Map<string, number>();
  readonly #windows = new Map<number, { points: number; firstMs: number; lastMs: number }>();
  readonly #devices: number;

  constructor(options: {
    readonly windowMs: number;
    readonly devices: number;
    readonly fromMs: number;
    readonly toMs: number;
  }) {
    const { windowMs, devices, fromMs, toMs } = options;
    this.#windowMs = windowMs;
    this.#devices = devices;
    this.#measured = { from: firstWindowDue(fromMs, windowMs), to: firstWindowDue(toMs, windowMs) };
    this.#delays = new Delays(fromMs);
  }

  /** Windows due while the run is measured. */
  get windows(): number {
    return (this.#measured.to - this.#measured.from) / this.#windowMs;
  }

  get complete(): boolean {
    const [...windows] = this.#windows.values();
    return windows.length === this.windows && windows.every(({ points }) => points >= this.#devices);
  }

  /** Series key → points so far. */
  get points(): ReadonlyMap<string, number> {
    return this.#points;
  }

  written({ key, windowStart: start, atMs }: PointWrite): void {
    this.#points.set(key, (this.#points.get(key) ?? 0) + 1);
    if (start < this.#measured.from || start >= this.#measured.to) return;
    const delayMs = atMs - dueOf(start, this.#windowMs);
    this.#delays.record(delayMs, atMs);
    const window = this.#windows.get(start);
    if (window === undefined) {
      this.#windows.set(start, { points: 1, firstMs: delayMs, lastMs: delayMs });
      return;
    }
    window.points++;
    window.lastMs = Math.max(window.lastMs, delayMs);
  }

  percentiles(): Percentiles {
    return this.#delays.percentiles();
  }

  perSecondMaxUs(seconds: number): (number | null)[] {
    return this.#delays.perSecondMaxUs(seconds);
  }

  perWindow(): WindowDelay[] {
    return [...this.#windows].map(([windowStart, window]) => ({ windowStart, ...window }));
  }
}
