import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Of delays in whole µs. */
export interface Percentiles {
  readonly count: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** Delays in whole µs: a histogram per second and one that merges them. Percentiles are read from merged histograms, never averaged. */
export class Delays {
  readonly #fromMs: number;
  readonly #seconds = new Map<number, RecordableHistogram>();

  /** @param fromMs epoch ms at which second 0 begins */
  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  /** Below 1 µs counts as 1 µs, which is what a histogram can hold. */
  record(delayMs: number, atMs: number): void {
    const second = Math.floor((atMs - this.#fromMs) / 1_000);
    let histogram = this.#seconds.get(second);
    if (histogram === undefined) {
      histogram = createHistogram(RANGE);
      this.#seconds.set(second, histogram);
    }
    histogram.record(Math.min(RANGE.highest, Math.max(1, Math.round(delayMs * 1_000))));
  }

  percentiles(): Percentiles {
    const all = createHistogram(RANGE);
    for (const one of this.#seconds.values()) all.add(one);
    if (all.count === 0) return NOTHING;
    const at = (percentile: number) => Number(all.percentile(percentile));
    return {
      count: all.count,
      p50Us: at(50),
      p90Us: at(90),
      p99Us: at(99),
      p999Us: at(99.9),
      maxUs: all.max,
    };
  }

  /** The longest delay of each second, `count` of them or as many more as there are delays of; µs, null where there was none. */
  perSecondMaxUs(count: number): (number | null)[] {
    const length = Math.max(count, ...[...this.#seconds.keys()].map((second) => second + 1));
    return Array.from({ length }, (_, second) => this.#seconds.get(second)?.max ?? null);
  }
}

const RANGE = { lowest: 1, highest: 600_000_000, figures: 3 } as const;
const NOTHING: Percentiles = { count: 0, p50Us: 0, p90Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 };
