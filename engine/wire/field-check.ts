import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { objCellBytes } from './obj-cell.ts';
import type { FieldType, NamedField, Schema } from './schema.ts';

/** The largest distance from 1970 that a JavaScript Date can hold, in ms; the bound of every time column. */
export const TIME_MAX_MS = 8.64e15;

/** Why a value that is not null cannot be stored in a column of `type`, or null when it can. */
export function refusal(type: FieldType, value: unknown): string | null {
  switch (type) {
    case 'f64':
      return typeof value === 'number' ? null : 'it must be a number';
    case 'f32':
      return typeof value === 'number' && fitsF32(value)
        ? null
        : 'it must be a number in the range of a 32-bit float';
    case 'time':
      return isTime(value) ? null : 'it must be epoch ms within ±8.64e15';
    case 'i32':
      return isI32(value) ? null : 'it must be a whole number from -2147483648 to 2147483647';
    case 'i64':
      return isI64(value) ? null : 'it must be a bigint of at most 64 bits';
    case 'bool':
      return typeof value === 'boolean' ? null : 'it must be a boolean';
    case 'string':
      return stringRefusal(value);
    case 'bytes':
      if (!(value instanceof Uint8Array)) return 'it must be a Uint8Array';
      return value.length <= LIMITS.cellBytesMax ? null : `it has more than ${LIMITS.cellBytesMax} bytes`;
    case 'obj':
      return objRefusal(value);
  }
}

/** True for epoch ms that a time column holds. */
export function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= -TIME_MAX_MS && value <= TIME_MAX_MS;
}

/** The error of a value that its column refuses. */
export function recordInvalid(schema: Schema, field: NamedField, value: unknown, why: string): MillraceError {
  const shown = valueText(value);
  return new MillraceError(
    'MR_RECORD_INVALID',
    `Field '${field.name}' (${field.type}) of schema '${schema.name}' cannot hold ${shown}: ${why}.`,
    { details: { schema: schema.name, field: field.name, value: shown } },
  );
}

/** A value for people: at most 80 characters. */
export function valueText(value: unknown): string {
  const text = rawText(value);
  return text.length <= VALUE_TEXT_MAX ? text : `${text.slice(0, VALUE_TEXT_MAX - 1).toWellFormed()}…`;
}

const VALUE_TEXT_MAX = 80;

function rawText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, VALUE_TEXT_MAX));
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}

/** Finite numbers must stay finite; their rounding to 24 bits of mantissa is what declaring f32 asks for. */
function fitsF32(value: number): boolean {
  return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
}

function isI32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

function isI64(value: unknown): boolean {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
}

function stringRefusal(value: unknown): string | null {
  if (typeof value !== 'string') return 'it must be a string';
  if (value.length * 3 > LIMITS.cellBytesMax && Buffer.byteLength(value) > LIMITS.cellBytesMax) {
    return `it has more than ${LIMITS.cellBytesMax} bytes`;
  }
  return value.isWellFormed() ? null : 'it has a lone surrogate and so no UTF-8 form';
}

function objRefusal(value: unknown): string | null {
  const bytes = objCellBytes(value);
  if (typeof bytes === 'string') return bytes;
  return bytes <= LIMITS.cellBytesMax ? null : `it packs into more than ${LIMITS.cellBytesMax} bytes`;
}
