import type { ArraySource } from './array-source.ts';

/** Numbers by index, as snapshots hold them. */
export type NumberList = Int32Array | Float64Array;

/** In half the space where all are whole numbers of 32 bits. */
export function numberList(values: Float64Array, arrays: ArraySource): NumberList {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // Of −0 a whole number would lose the sign.
    if ((value | 0) !== value || (value === 0 && 1 / value < 0)) return values;
  }
  const ints = arrays.int32(values.length);
  ints.set(values);
  return ints;
}
