import { type ArraySource, inSteps, type Steps } from '#engine';
import type { KeptSketch, QuantileSketchState } from './quantile-sketch.ts';

/** Many sketches as flat lists: to encode a list of a few numbers for each of many keys takes longer than to make it. */
export interface StoredSketches {
  /** How many of `numbers` are a sketch's own: values kept exactly, or −n for n numbers: floor, then bucket and count in turn. */
  readonly sizes: Int32Array;
  readonly numbers: Float64Array;
  readonly nans: Float64Array;
}

export function* storeSketches(sketches: readonly KeptSketch[], arrays: ArraySource): Steps<StoredSketches> {
  const count = sketches.length;
  const sizes = arrays.int32(count);
  const nans = arrays.float64(count);
  let total = 0;
  for (let n = 0; n < count; n++) {
    const { exact, count: values, buckets } = sketches[n] as KeptSketch;
    const size = exact === null ? -1 - buckets.length : values;
    sizes[n] = size;
    total += Math.abs(size);
  }
  const numbers = arrays.float64(total);
  let at = 0;
  yield* inSteps(count, (from, to) => {
    for (let n = from; n < to; n++) {
      const { exact, count: values, buckets, floor, nans: seen } = sketches[n] as KeptSketch;
      nans[n] = seen;
      if (exact === null) numbers[at++] = floor;
      const list = exact ?? buckets;
      const length = exact === null ? buckets.length : values;
      for (let i = 0; i < length; i++) numbers[at++] = list[i] as number;
    }
  });
  return { sizes, numbers, nans };
}

/** The sketches of a list in turn. */
export function* storedSketches({ sizes, numbers, nans }: StoredSketches): Generator<QuantileSketchState> {
  const none = new Float64Array(0);
  let at = 0;
  for (let n = 0; n < sizes.length; n++) {
    const size = sizes[n] as number;
    const end = at + Math.abs(size);
    const own = { nans: nans[n] as number };
    if (size < 0) {
      yield { ...own, exact: null, floor: numbers[at] as number, buckets: numbers.subarray(at + 1, end) };
    } else {
      yield { ...own, exact: numbers.subarray(at, end), floor: Number.NEGATIVE_INFINITY, buckets: none };
    }
    at = end;
  }
}
