/** Values kept exactly before buckets take over. */
const EXACT_MAX = 64;
/** Relative error of an answer that comes out of buckets. */
const RELATIVE_ERROR = 0.01;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** Buckets in use at most; beyond, the lowest are folded into one until this many are left. */
const BUCKETS_MAX = 2048;
const BUCKETS_KEPT = 1536;
/** Magnitudes below this count as zero. */
const ZERO_BELOW = 1e-12;
/** Logarithmic index of the smallest and largest magnitude that is not zero or infinite. */
const INDEX_MIN = Math.ceil(Math.log(ZERO_BELOW) / LOG_GAMMA);
const INDEX_MAX = Math.ceil(Math.log(Number.MAX_VALUE) / LOG_GAMMA);
/** Buckets lie in one array when that has at most this many places for each bucket in use, else in a map. */
const PLACES_PER_BUCKET = 8;
const DENSE_MIN = 32;
/** An array with up to so many places is kept for the next stream of values. */
const DENSE_KEPT = 512;
const NO_BUCKETS = new Float64Array(0);

/** A sketch as plain data, for snapshots. */
export interface QuantileSketchState {
  readonly exact: Float64Array | null;
  /** Bucket and count in turn, by rising bucket. */
  readonly buckets: Float64Array;
  /** Values below this bucket are in it. */
  readonly floor: number;
  readonly nans: number;
}

/** The same without a copy: of `exact` the first `count` values. Good until the sketch is cleared. */
export interface KeptSketch extends Omit<QuantileSketchState, 'exact'> {
  readonly exact: ArrayLike<number> | null;
  readonly count: number;
}

/** What sketches were stored as before: a bucket is 2·index of the magnitude, plus 1 when the value is negative. */
interface FormerState {
  readonly exact: Float64Array | null;
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
  readonly zeros: number;
  readonly nans: number;
}

/**
 * Quantiles of a stream of numbers: an exact list of up to 64 values first, then counts in logarithmic buckets of both signs,
 * within 1 % of the true value. NaN makes every quantile NaN. Buckets are whole numbers in the order of their values: 0 is
 * zero, n and −n are the magnitudes from γ^(n−1) to γ^n times 1e-12.
 *
 * QS1 up to 64 values the answer is exact; beyond, it is within 1 % as long as it lies in one of the 1,536 highest buckets (13
 *     decades; lower values may be folded together). Neither the order of values, nor how they were shared between sketches that
 *     were merged, changes an answer that keeps this promise.
 * QS2 at most 2,048 buckets are in use. A fold frees a quarter of them, so that its cost is spread over as many new buckets.
 *
 * Source: DDSketch (Masson, Rim, Lee; VLDB 2019), collapsing lowest buckets.
 */
export class QuantileSketch {
  /** Values kept exactly: the first `count`. What lies beyond is room. */
  readonly #exact: number[] = [];
  /** −1 once buckets have taken over. */
  #count = 0;
  /** Buckets in use and their counts, when they are few or far apart. */
  #sparse: Map<number, number> | null = null;
  /** Counts of the buckets from `base` on, when they lie close together; then `sparse` is null. Before there are buckets: room for them. */
  #dense: Float64Array | null = null;
  #base = 0;
  /** Buckets in use. */
  #used = 0;
  /** Buckets in use at which an array is tried (again). */
  #denseAt = DENSE_MIN;
  #floor = Number.NEGATIVE_INFINITY;
  #nans = 0;

  /** The second argument is for call sites shared with what needs a time. */
  add(value: number, _time?: number): void {
    const count = this.#count;
    if (value !== value) this.#nans++;
    else if (count < 0) this.#addTo(bucketOf(value), 1);
    else if (count < EXACT_MAX) {
      this.#exact[count] = value;
      this.#count = count + 1;
    } else {
      this.#leaveExact();
      this.#addTo(bucketOf(value), 1);
    }
  }

  /** Adds all that `other`, another sketch, has seen; `other` stays as it is. */
  merge(other: QuantileSketch): void {
    if (other.#count >= 0) for (let i = 0; i < other.#count; i++) this.add(other.#exact[i] as number);
    else if (this.#count === 0) this.#copyBuckets(other);
    else {
      this.#leaveExact();
      this.#foldBelow(other.#floor);
      other.#each((bucket, n) => this.#addTo(bucket, n));
    }
    this.#nans += other.#nans;
  }

  /** Forgets all it has seen, and keeps its room. */
  clear(): void {
    if (this.#count < 0) {
      if (this.#dense !== null && this.#dense.length <= DENSE_KEPT) this.#dense.fill(0);
      else this.#dense = null;
      this.#sparse = null;
      this.#used = 0;
      this.#denseAt = DENSE_MIN;
      this.#floor = Number.NEGATIVE_INFINITY;
    }
    this.#count = 0;
    this.#nans = 0;
  }

  /** The smallest value with at least `q` of all values at or below it (nearest rank), or null when empty. */
  quantile(q: number): number | null {
    if (this.#nans > 0) return Number.NaN;
    const count = this.#count;
    if (count < 0) return this.#fromBuckets(q);
    return count === 0 ? null : nthOf(this.#exact, count, rank(q, count));
  }

  state(): QuantileSketchState {
    const { exact, count, ...state } = this.kept();
    return { ...state, exact: exact === null ? null : Float64Array.from(exact).subarray(0, count) };
  }

  /** What it has seen until now, also when it sees more. */
  kept(): KeptSketch {
    const [floor, nans, count] = [this.#floor, this.#nans, this.#count];
    // Exact values are only added to, and stay when buckets take over.
    if (count >= 0) return { exact: this.#exact, count, buckets: NO_BUCKETS, floor, nans };
    const buckets = new Float64Array(this.#used * 2);
    let at = 0;
    for (const [bucket, n] of this.#sorted()) {
      buckets[at++] = bucket;
      buckets[at++] = n;
    }
    return { exact: null, count, buckets, floor, nans };
  }

  static from(state: QuantileSketchState | FormerState): QuantileSketch {
    const sketch = new QuantileSketch();
    sketch.load(state);
    return sketch;
  }

  /** Takes a state where nothing has been seen yet. */
  load(state: QuantileSketchState | FormerState): void {
    this.#nans = state.nans;
    if (state.exact !== null) {
      for (let i = 0; i < state.exact.length; i++) this.add(state.exact[i] as number);
      return;
    }
    this.#count = -1;
    if ('zeros' in state) {
      if (state.zeros > 0) this.#addTo(0, state.zeros);
      for (const [bucket, n] of state.buckets)
        this.#addTo(((bucket >> 1) - INDEX_MIN + 1) * ((bucket & 1) === 1 ? -1 : 1), n);
      return;
    }
    this.#floor = state.floor;
    for (let i = 0; i < state.buckets.length; i += 2)
      this.#addTo(state.buckets[i] as number, state.buckets[i + 1] as number);
  }

  #leaveExact(): void {
    if (this.#count < 0) return;
    const buckets = this.#exact.slice(0, this.#count).map(bucketOf);
    this.#count = -1;
    const low = Math.min(...buckets);
    const high = Math.max(...buckets);
    const dense = this.#dense;
    if (dense === null || low < this.#base || high >= this.#base + dense.length) {
      this.#dense = null;
      // Most streams are narrow: straight to an array, with room on both sides.
      const length = high - low + 1;
      if (length <= DENSE_MIN * PLACES_PER_BUCKET) this.#toDense(low - DENSE_MIN / 2, length + DENSE_MIN);
    }
    for (const bucket of buckets) this.#addTo(bucket, 1);
  }

  #copyBuckets(from: QuantileSketch): void {
    this.#count = -1;
    this.#sparse = from.#sparse === null ? null : new Map(from.#sparse);
    this.#dense = from.#dense === null ? null : from.#dense.slice();
    this.#base = from.#base;
    this.#used = from.#used;
    this.#denseAt = from.#denseAt;
    this.#floor = from.#floor;
  }

  #addTo(wanted: number, n: number): void {
    const bucket = wanted < this.#floor ? this.#floor : wanted;
    const dense = this.#dense;
    if (dense === null) return this.#addToSparse(bucket, n);
    const at = bucket - this.#base;
    const before = dense[at];
    if (before === undefined) return this.#addBeside(bucket, n);
    dense[at] = before + n;
    if (before === 0) this.#use();
  }

  #addToSparse(bucket: number, n: number): void {
    const sparse = (this.#sparse ??= new Map<number, number>());
    const before = sparse.get(bucket);
    sparse.set(bucket, before === undefined ? n : before + n);
    if (before !== undefined) return;
    this.#use();
    if (this.#used < this.#denseAt) return;
    this.#denseAt = this.#used * 2;
    let [low, high] = [bucket, bucket];
    for (const used of sparse.keys()) {
      if (used < low) low = used;
      else if (used > high) high = used;
    }
    if (high - low < this.#used * PLACES_PER_BUCKET) this.#toDense(low, high - low + 1);
  }

  /** Adds to a bucket outside the array. */
  #addBeside(bucket: number, n: number): void {
    const length = (this.#dense as Float64Array).length;
    const low = Math.min(bucket, this.#base);
    const high = Math.max(bucket, this.#base + length - 1);
    // Twice as long at least, so that a slow drift of the values does not copy it for each.
    const slack = Math.min(length, this.#used * PLACES_PER_BUCKET - (high - low));
    const sparse = new Map<number, number>();
    this.#each((used, count) => sparse.set(used, count));
    this.#sparse = sparse;
    this.#dense = null;
    if (slack < 0) this.#denseAt = this.#used * 2;
    else this.#toDense(bucket === low ? low - slack : low, high - low + 1 + slack);
    this.#addTo(bucket, n);
  }

  #toDense(base: number, length: number): void {
    const dense = new Float64Array(length);
    for (const [bucket, n] of this.#sparse ?? []) dense[bucket - base] = n;
    this.#base = base;
    this.#dense = dense;
    this.#sparse = null;
  }

  #use(): void {
    this.#used++;
    if (this.#used > BUCKETS_MAX)
      this.#foldBelow((this.#sorted()[this.#used - BUCKETS_KEPT] as readonly [number, number])[0]);
  }

  /** Folds all buckets below `floor` into it, for good. */
  #foldBelow(floor: number): void {
    if (floor <= this.#floor) return;
    this.#floor = floor;
    let folded = 0;
    for (const [bucket, n] of this.#sorted()) {
      if (bucket >= floor) break;
      folded += n;
      this.#used--;
      if (this.#dense === null) this.#sparse?.delete(bucket);
      else this.#dense[bucket - this.#base] = 0;
    }
    if (folded > 0) this.#addTo(floor, folded);
  }

  #fromBuckets(q: number): number {
    let total = 0;
    this.#each((_, n) => {
      total += n;
    });
    let left = rank(q, total);
    let found = Number.NaN;
    let highest = 0;
    const visit = (bucket: number, n: number) => {
      if (found !== found && left < n) found = bucket;
      left -= n;
      highest = bucket;
    };
    if (this.#dense !== null) this.#each(visit);
    else for (const [bucket, n] of this.#sorted()) visit(bucket, n);
    return valueOf(found === found ? found : highest);
  }

  #each(visit: (bucket: number, n: number) => void): void {
    const dense = this.#dense;
    if (dense === null) {
      for (const [bucket, n] of this.#sparse ?? []) visit(bucket, n);
      return;
    }
    for (let at = 0; at < dense.length; at++)
      if (dense[at] !== 0) visit(this.#base + at, dense[at] as number);
  }

  /** Buckets from the lowest value to the highest. */
  #sorted(): (readonly [bucket: number, n: number])[] {
    const all: (readonly [number, number])[] = [];
    this.#each((bucket, n) => all.push([bucket, n]));
    return this.#dense === null ? all.sort(([a], [b]) => a - b) : all;
  }
}

const sorted = new Float64Array(EXACT_MAX);

/** What would stand at place `n` if the first `count` values, at most EXACT_MAX, were in order. */
function nthOf(values: readonly number[], count: number, n: number): number {
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    let at = i;
    for (; at > 0 && (sorted[at - 1] as number) > value; at--) sorted[at] = sorted[at - 1] as number;
    sorted[at] = value;
  }
  return sorted[n] as number;
}

function rank(q: number, total: number): number {
  return Math.max(0, Math.ceil(q * total) - 1);
}

function bucketOf(value: number): number {
  const magnitude = value < 0 ? -value : value;
  if (magnitude < ZERO_BELOW) return 0;
  const index =
    magnitude === Number.POSITIVE_INFINITY ? INDEX_MAX + 1 : Math.ceil(Math.log(magnitude) / LOG_GAMMA);
  return value < 0 ? INDEX_MIN - 1 - index : index - INDEX_MIN + 1;
}

/** Middle of a bucket, within RELATIVE_ERROR of everything in it. */
function valueOf(bucket: number): number {
  if (bucket === 0) return 0;
  const index = Math.abs(bucket) + INDEX_MIN - 1;
  if (index > INDEX_MAX) return bucket * Number.POSITIVE_INFINITY;
  const middle = Math.min(GAMMA ** index * (2 / (GAMMA + 1)), Number.MAX_VALUE);
  return bucket < 0 ? -middle : middle;
}
