/** Values kept exactly before a sketch takes over. */
const EXACT_MAX = 64;
/** Relative error of a sketch's answer. */
const RELATIVE_ERROR = 0.01;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** Distinct buckets kept; beyond, the lowest are folded together, so that only low quantiles lose accuracy. */
const BUCKETS_MAX = 2048;
/** Magnitudes below this count as zero. */
const ZERO_BELOW = 1e-12;

/** A sketch as plain data, for snapshots. */
export interface QuantileSketchState {
  readonly exact: Float64Array | null;
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
  readonly zeros: number;
  readonly nans: number;
}

/**
 * Quantiles of a stream of numbers: an exact list first, then counts in logarithmic buckets of both signs, within 1 % of the
 * true value. Order of insertion does not matter. NaN makes every quantile NaN.
 * Source: DDSketch (Masson, Rim, Lee; VLDB 2019), collapsing lowest buckets.
 */
export class QuantileSketch {
  #exact: number[] | null = [];
  /** Key: 2·index for positive, 2·index+1 for negative values. */
  readonly #buckets = new Map<number, number>();
  #zeros = 0;
  #nans = 0;

  /** The second argument is for call sites shared with what needs a time. */
  add(value: number, _time?: number): void {
    if (value !== value) this.#nans++;
    else if (this.#exact === null) this.#addToBuckets(value, 1);
    else {
      this.#exact.push(value);
      if (this.#exact.length > EXACT_MAX) this.#leaveExact();
    }
  }

  /** Adds all that `other` has seen; `other` stays as it is. */
  merge(other: QuantileSketch): void {
    this.#nans += other.#nans;
    if (other.#exact !== null) {
      for (const value of other.#exact) this.add(value);
      return;
    }
    if (this.#exact !== null) this.#leaveExact();
    this.#zeros += other.#zeros;
    for (const [bucket, n] of other.#buckets) {
      this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + n);
      if (this.#buckets.size > BUCKETS_MAX) this.#collapse();
    }
  }

  /** The smallest value with at least `q` of all values at or below it (nearest rank), or null when empty. */
  quantile(q: number): number | null {
    if (this.#nans > 0) return Number.NaN;
    if (this.#exact !== null) {
      if (this.#exact.length === 0) return null;
      const sorted = this.#exact.toSorted((a, b) => a - b);
      return sorted[rank(q, sorted.length)] as number;
    }
    return this.#fromBuckets(q);
  }

  state(): QuantileSketchState {
    return {
      exact: this.#exact === null ? null : Float64Array.from(this.#exact),
      buckets: [...this.#buckets],
      zeros: this.#zeros,
      nans: this.#nans,
    };
  }

  static from(state: QuantileSketchState): QuantileSketch {
    const sketch = new QuantileSketch();
    sketch.#exact = state.exact === null ? null : [...state.exact];
    for (const [bucket, n] of state.buckets) sketch.#buckets.set(bucket, n);
    sketch.#zeros = state.zeros;
    sketch.#nans = state.nans;
    return sketch;
  }

  #leaveExact(): void {
    const values = this.#exact as number[];
    this.#exact = null;
    for (const value of values) this.#addToBuckets(value, 1);
  }

  #addToBuckets(value: number, n: number): void {
    const magnitude = Math.abs(value);
    if (magnitude < ZERO_BELOW) {
      this.#zeros += n;
      return;
    }
    const index = Math.ceil(Math.log(Math.min(magnitude, Number.MAX_VALUE)) / LOG_GAMMA);
    const key = 2 * index + (value < 0 ? 1 : 0);
    this.#buckets.set(key, (this.#buckets.get(key) ?? 0) + n);
    if (this.#buckets.size > BUCKETS_MAX) this.#collapse();
  }

  #collapse(): void {
    const [lowest, next] = this.#sorted();
    if (lowest === undefined || next === undefined) return;
    this.#buckets.delete(lowest[0]);
    this.#buckets.set(next[0], next[1] + lowest[1]);
  }

  #fromBuckets(q: number): number {
    const sorted = this.#sorted();
    const total = sorted.reduce((sum, [, n]) => sum + n, this.#zeros);
    let left = rank(q, total);
    const negatives = sorted.filter(([key]) => (key & 1) === 1);
    for (const [key, n] of negatives) {
      if (left < n) return -valueOf(key);
      left -= n;
    }
    if (left < this.#zeros) return 0;
    left -= this.#zeros;
    for (const [key, n] of sorted.slice(negatives.length)) {
      if (left < n) return valueOf(key);
      left -= n;
    }
    return valueOf((sorted.at(-1) as readonly [number, number])[0]);
  }

  /** Buckets from the lowest value to the highest. */
  #sorted(): (readonly [number, number])[] {
    const order = (key: number) => ((key & 1) === 1 ? -1 : 1);
    return [...this.#buckets].sort(([a], [b]) => order(a) - order(b) || ((a & 1) === 1 ? b - a : a - b));
  }
}

function rank(q: number, total: number): number {
  return Math.max(0, Math.ceil(q * total) - 1);
}

/** Middle of a bucket, within RELATIVE_ERROR of everything in it. */
function valueOf(key: number): number {
  return (2 * GAMMA ** (key >> 1)) / (GAMMA + 1);
}
