import { isNullAt } from './batch.ts';
import type { BodyWriter } from './body-writer.ts';
import { ENCODING, POWERS_OF_TEN } from './frame-layout.ts';

/** What a column's directory entry says about how its values are written. */
export interface SectionForm {
  readonly encoding: number;
  readonly exponent: number;
  readonly base: number;
}

export const PLAIN: SectionForm = { encoding: ENCODING.plain, exponent: 0, base: 0 };

/**
 * Writes doubles in the smallest form that gives every one of them back bit by bit: const, short, decimal, offset, plain.
 * A candidate is proved on each value while it is written; the first that does not come back ends it.
 */
export function writeNumbers(
  writer: BodyWriter,
  values: Float64Array,
  count: number,
  nulls: Uint8Array | null,
): SectionForm {
  const first = firstValue(count, nulls);
  const base = values[first] ?? 0;
  if (first < 0) return { encoding: ENCODING.const, exponent: 0, base: 0 };
  if (isConst(values, count, nulls, base)) return { encoding: ENCODING.const, exponent: 0, base };
  const ints = writer.i32(count);
  const exponent = writeDecimals(ints, values, nulls);
  if (exponent >= 0) return shortened(writer, ints, nulls, { encoding: ENCODING.decimal, exponent, base: 0 });
  const offsetBase = writeOffsets(ints, values, nulls);
  if (!Number.isNaN(offsetBase))
    return shortened(writer, ints, nulls, { encoding: ENCODING.offset, exponent: 0, base: offsetBase });
  writer.length -= ints.byteLength;
  writer.f64(count).set(count === values.length ? values : values.subarray(0, count));
  return PLAIN;
}

/** Index of the first value that is not null, or −1. */
export function firstValue(count: number, nulls: Uint8Array | null): number {
  if (nulls === null) return 0;
  for (let i = 0; i < count; i++) if (!isNullAt(nulls, i)) return i;
  return -1;
}

function isConst(values: Float64Array, count: number, nulls: Uint8Array | null, base: number): boolean {
  for (let i = 0; i < count; i++) {
    if (!Object.is(values[i], base) && !isNullAt(nulls, i)) return false;
  }
  return true;
}

/**
 * Fills `ints` so that `ints[i] / 10^k` is `values[i]` exactly, and returns k, or −1 when no k of 0 … 9 does it. k starts
 * at 0 and only rises: i / 10^k and 10i / 10^(k+1) are the same correctly rounded quotient, so what held keeps holding,
 * except that it may outgrow 32 bits, which the new pass finds.
 */
function writeDecimals(ints: Int32Array, values: Float64Array, nulls: Uint8Array | null): number {
  let k = 0;
  for (;;) {
    const failedAt = fillDecimals(ints, values, nulls, POWERS_OF_TEN[k] as number);
    if (failedAt < 0) return k;
    k = exponentOf(values[failedAt] as number, k + 1);
    if (k < 0) return -1;
  }
}

function fillDecimals(
  ints: Int32Array,
  values: Float64Array,
  nulls: Uint8Array | null,
  power: number,
): number {
  for (let i = 0; i < ints.length; i++) {
    const value = values[i] as number;
    const int = Math.round(value * power) | 0;
    if (int / power !== value || (int === 0 && Object.is(value, -0))) {
      if (!isNullAt(nulls, i)) return i;
    }
    ints[i] = int;
  }
  return -1;
}

/** Smallest k ≥ `from` that represents the value, or −1. */
function exponentOf(value: number, from: number): number {
  if (Object.is(value, -0)) return -1;
  for (let k = from; k < POWERS_OF_TEN.length; k++) {
    const power = POWERS_OF_TEN[k] as number;
    if ((Math.round(value * power) | 0) / power === value) return k;
  }
  return -1;
}

/** Fills `ints` with distances from the smallest value and returns that, or NaN when some value is not whole or too far. */
function writeOffsets(ints: Int32Array, values: Float64Array, nulls: Uint8Array | null): number {
  let base = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ints.length; i++) {
    const value = values[i] as number;
    if (isNullAt(nulls, i)) continue;
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return Number.NaN;
    if (value < base) base = value;
  }
  for (let i = 0; i < ints.length; i++) {
    const distance = isNullAt(nulls, i) ? 0 : (values[i] as number) - base;
    if (distance > 0x7fffffff) return Number.NaN;
    ints[i] = distance;
  }
  return base + 0;
}

/** What was written in `form` again in 16 bits each, in the same place, when all values lie that close to the smallest. */
function shortened(
  writer: BodyWriter,
  ints: Int32Array,
  nulls: Uint8Array | null,
  form: SectionForm,
): SectionForm {
  let min = 0x7fffffff;
  let max = -0x80000000;
  for (let i = 0; i < ints.length; i++) {
    const int = ints[i] as number;
    if (isNullAt(nulls, i)) continue;
    if (int < min) min = int;
    if (int > max) max = int;
  }
  if (max - min > 0xffff) return form;
  // Value i ends where value i / 2 did, so nothing is overwritten that is still to be read.
  const shorts = new Uint16Array(ints.buffer, ints.byteOffset, ints.length);
  for (let i = 0; i < ints.length; i++) shorts[i] = isNullAt(nulls, i) ? 0 : (ints[i] as number) - min;
  writer.length -= shorts.byteLength;
  return { encoding: ENCODING.short, exponent: form.exponent, base: form.base + min };
}
