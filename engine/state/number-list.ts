import type { ArraySource } from './array-source.ts';

/** Numbers by index, as snapshots hold them. */
export type NumberList = Int32Array | Float64Array;

/** In half the space where all are whole numbers of 32 bits. */
export function numberList(values: Float64Array, arrays: ArraySource): NumberList {
  if (values.length > 0 && !isInt(values[0] as number)) return values;
  const ints = arrays.int32(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!isInt(value)) return values;
    ints[i] = value;
  }
  return ints;
}

/** Of −0 a whole number would lose the sign. */
function isInt(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0);
}
