import type { BodyWriter } from '../wire/body-writer.ts';
import type { WrittenSection } from '../wire/column-encoder.ts';
import { ENCODING } from '../wire/frame-layout.ts';
import { isInt } from './value-kind.ts';

/**
 * Writes numbers bit by bit: none when all are one, 32-bit when all fit, else as they are. Smaller forms (number-encoding.ts) cost
 * more than they save on a way as short as an exchange.
 */
export function writeNumberSection(writer: BodyWriter, values: Float64Array, count: number): WrittenSection {
  const base = values[0] as number;
  if (isConst(values, count, base)) return { encoding: ENCODING.const, exponent: 0, base, entries: 0 };
  if (areInts(values, count)) {
    const ints = writer.i32(count);
    for (let i = 0; i < count; i++) ints[i] = values[i] as number;
    return { encoding: ENCODING.offset, exponent: 0, base: 0, entries: 0 };
  }
  writer.f64(count).set(values.length === count ? values : values.subarray(0, count));
  return { encoding: ENCODING.plain, exponent: 0, base: 0, entries: 0 };
}

function isConst(values: Float64Array, count: number, base: number): boolean {
  for (let i = 1; i < count; i++) if (!Object.is(values[i], base)) return false;
  return true;
}

function areInts(values: Float64Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (!isInt(values[i] as number)) return false;
  return true;
}
