import { invariant } from '#engine';
import type { IcebergType } from './table-schema.ts';

/** A value of an Iceberg column outside of a file. `timestamptz` is microseconds; a whole number may be a bigint. */
export type IcebergValue = boolean | number | bigint | string | Uint8Array;

/** Code points (string) or bytes (binary) that a bound keeps at most, as Iceberg's `truncate(16)` metrics mode. */
const BOUND_LENGTH_MAX = 16;

/** The bytes of one value: Iceberg spec, appendix D, "Binary single-value serialization". Little-endian. */
export function singleValue(type: IcebergType, value: IcebergValue): Uint8Array {
  switch (type) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0);
    case 'int':
    case 'date':
      return filled(4, (view) => view.setInt32(0, Number(value), true));
    case 'long':
    case 'timestamptz':
      return filled(8, (view) => view.setBigInt64(0, BigInt(value as bigint | number), true));
    case 'float':
      return filled(4, (view) => view.setFloat32(0, Number(value), true));
    case 'double':
      return filled(8, (view) => view.setFloat64(0, Number(value), true));
    case 'string':
      return typeof value === 'string' ? Buffer.from(value, 'utf8') : bytesOf(value);
    case 'binary':
      return bytesOf(value);
  }
}

/** Bytes of a lower bound: the value, or a prefix of it, which sorts no later. */
export function lowerBound(type: IcebergType, value: IcebergValue): Uint8Array {
  if (type === 'string')
    return singleValue(type, Array.from(textOf(value)).slice(0, BOUND_LENGTH_MAX).join(''));
  if (type === 'binary') return bytesOf(value).slice(0, BOUND_LENGTH_MAX);
  return singleValue(type, value);
}

/** Bytes of an upper bound: the value, or the smallest short value that sorts after everything with its prefix; null if there is none. */
export function upperBound(type: IcebergType, value: IcebergValue): Uint8Array | null {
  if (type === 'string') {
    const text = upperText(textOf(value));
    return text === null ? null : singleValue(type, text);
  }
  if (type === 'binary') return upperBytes(bytesOf(value));
  return singleValue(type, value);
}

/** Orders values as Iceberg does: numbers by size, strings and binary by their bytes, false before true. */
export function compareValues(a: IcebergValue, b: IcebergValue): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function upperText(text: string): string | null {
  const points = Array.from(text, (character) => character.codePointAt(0) as number);
  if (points.length <= BOUND_LENGTH_MAX) return text;
  for (let i = BOUND_LENGTH_MAX - 1; i >= 0; i--) {
    const next = (points[i] as number) === 0xd7ff ? 0xe000 : (points[i] as number) + 1; // surrogates are no characters
    if (next <= 0x10ffff) return String.fromCodePoint(...points.slice(0, i), next);
  }
  return null;
}

function upperBytes(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length <= BOUND_LENGTH_MAX) return bytes.slice();
  for (let i = BOUND_LENGTH_MAX - 1; i >= 0; i--) {
    if ((bytes[i] as number) === 0xff) continue;
    const bound = bytes.slice(0, i + 1);
    bound[i] = (bytes[i] as number) + 1;
    return bound;
  }
  return null;
}

function textOf(value: IcebergValue): string {
  return typeof value === 'string' ? value : Buffer.from(bytesOf(value)).toString('utf8');
}

function bytesOf(value: IcebergValue): Uint8Array {
  invariant(value instanceof Uint8Array, `a string or binary value is bytes, got ${typeof value}`);
  return value;
}

function filled(length: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer));
  return bytes;
}
