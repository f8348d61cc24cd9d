import { invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type Column, isNullAt } from './batch.ts';
import type { BodyWriter } from './body-writer.ts';
import { ENCODING } from './frame-layout.ts';
import { firstValue, PLAIN, type SectionForm, writeNumbers } from './number-encoding.ts';
import { refusal } from './field-check.ts';
import { packObjCell } from './obj-cell.ts';
import type { NamedField } from './schema.ts';
import type { StringDictionary } from './string-dictionary.ts';

/** How a section was written; the rest of its directory entry follows from place and schema. */
export interface WrittenSection extends SectionForm {
  /** Entries of the string dictionary, else 0. */
  readonly entries: number;
  /** Value of a const i64 column. */
  readonly bigBase?: bigint;
}

/**
 * Writes one column without its null bitmap.
 * @param nulls exactly the bits that are set, or null; the places they mark are written as zero whatever they hold
 * @param compressible whether a form is worth its reading that is not smaller, but compresses better
 */
export function writeColumn(
  writer: BodyWriter,
  field: NamedField,
  column: Column,
  count: number,
  nulls: Uint8Array | null,
  compressible = false,
): WrittenSection {
  switch (field.type) {
    case 'f64':
    case 'time':
      invariant(
        column.kind === 'f64',
        `column '${field.name}' holds ${column.kind}, its field is ${field.type}`,
      );
      return { ...writeNumbers(writer, zeroed(column.values, count, nulls), count, nulls), entries: 0 };
    case 'f32':
      invariant(column.kind === 'f64', `column '${field.name}' holds ${column.kind}, its field is f32`);
      return writeUniform(writer.f32(count), writer, zeroed(column.values, count, nulls), count, nulls);
    case 'i32':
      invariant(column.kind === 'i32', `column '${field.name}' holds ${column.kind}, its field is i32`);
      return writeUniform(writer.i32(count), writer, zeroed(column.values, count, nulls), count, nulls);
    case 'bool':
      invariant(column.kind === 'bool', `column '${field.name}' holds ${column.kind}, its field is bool`);
      return writeUniform(writer.u8(count), writer, zeroed(column.values, count, nulls), count, nulls);
    case 'i64':
      invariant(column.kind === 'i64', `column '${field.name}' holds ${column.kind}, its field is i64`);
      return writeBigInts(writer, column.values, count, nulls);
    case 'string':
      invariant(column.kind === 'string', `column '${field.name}' holds ${column.kind}, its field is string`);
      return writeStrings(writer, column, count, nulls, compressible);
    case 'bytes':
    case 'obj':
      invariant(
        column.kind === 'cells',
        `column '${field.name}' holds ${column.kind}, its field is ${field.type}`,
      );
      return writeCells(writer, field, column.values, count, nulls);
  }
}

type Numbers = Float64Array | Float32Array | Int32Array | Uint8Array;

/** The first `count` values, with zeros where null. */
function zeroed<A extends Float64Array | Int32Array | Uint8Array>(
  values: A,
  count: number,
  nulls: Uint8Array | null,
): A {
  const used = values.length === count ? values : (values.subarray(0, count) as A);
  if (nulls === null) return used;
  const copy = used.slice() as A;
  for (let i = 0; i < count; i++) if (isNullAt(nulls, i)) copy[i] = 0;
  return copy;
}

/** Writes into `target`, the writer's last reservation, and takes that back when all values are one. */
function writeUniform(
  target: Numbers,
  writer: BodyWriter,
  values: Float64Array | Int32Array | Uint8Array,
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  target.set(values);
  const first = firstValue(count, nulls);
  const base = first < 0 ? 0 : (target[first] as number);
  for (let i = 0; i < count; i++) {
    if (!Object.is(target[i], base) && !isNullAt(nulls, i)) return { ...PLAIN, entries: 0 };
  }
  writer.length -= target.byteLength;
  return { encoding: ENCODING.const, exponent: 0, base, entries: 0 };
}

function writeBigInts(
  writer: BodyWriter,
  values: BigInt64Array,
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  const target = writer.i64(count);
  const first = firstValue(count, nulls);
  const base = first < 0 ? 0n : (values[first] as bigint);
  let uniform = true;
  for (let i = 0; i < count; i++) {
    const absent = isNullAt(nulls, i);
    const value = absent ? 0n : (values[i] as bigint);
    target[i] = value;
    if (value !== base && !absent) uniform = false;
  }
  if (!uniform) return { ...PLAIN, entries: 0 };
  writer.length -= target.byteLength;
  return { encoding: ENCODING.const, exponent: 0, base: 0, entries: 0, bigBase: base };
}

/** Entries travel in the order in which records use them first, and only those that are used. */
function writeStrings(
  writer: BodyWriter,
  { codes, dictionary }: StringColumn,
  count: number,
  nulls: Uint8Array | null,
  compressible: boolean,
): WrittenSection {
  const numbers = new Uint32Array(dictionary.size);
  const entries = numberEntries(numbers, codes, count, nulls);
  const same = entries === dictionary.size && numbers.every((number, code) => number === code + 1);
  if (same) {
    writer.u32(entries).set(dictionary.lengths);
    writer.append(dictionary.bytes);
  } else writeUsedEntries(writer, dictionary, numbers, entries);
  if (entries <= 1) return { encoding: ENCODING.const, exponent: 0, base: 0, entries };
  const target = writer.u16(count);
  if (compressible) {
    writeFirstUses(target, codes, numbers, nulls);
    return { encoding: ENCODING.firstUse, exponent: 0, base: 0, entries };
  }
  if (same && nulls === null) target.set(codes.length === count ? codes : codes.subarray(0, count));
  else
    for (let i = 0; i < count; i++)
      target[i] = isNullAt(nulls, i) ? 0 : (numbers[codes[i] as number] as number) - 1;
  return { ...PLAIN, entries };
}

/** Sets the number of every entry in use, by its code: 1 for the one that is used first. Gives how many there are. */
function numberEntries(
  numbers: Uint32Array,
  codes: Uint16Array,
  count: number,
  nulls: Uint8Array | null,
): number {
  let entries = 0;
  for (let i = 0; i < count; i++) {
    if (isNullAt(nulls, i)) continue;
    const code = codes[i] as number;
    const number = numbers[code];
    if (number === 0) numbers[code] = ++entries;
    else if (number === undefined)
      invariant(false, `string code ${code} of record ${i} has an entry among ${numbers.length}`);
  }
  return entries;
}

function writeUsedEntries(
  writer: BodyWriter,
  from: StringDictionary,
  numbers: Uint32Array,
  entries: number,
): void {
  const used = new Uint16Array(entries);
  for (let code = 0; code < numbers.length; code++) {
    const number = numbers[code] as number;
    if (number > 0) used[number - 1] = code;
  }
  const lengths = writer.u32(entries);
  for (let i = 0; i < entries; i++) lengths[i] = from.lengths[used[i] as number] as number;
  for (const code of used) {
    const start = from.starts[code] as number;
    writer.append(from.bytes.subarray(start, start + (((from.lengths[code] as number) + 3) & ~3)));
  }
}

/**
 * Codes of entries that come up for the first time only count on, which a compressor does not see; as zeros they cost next
 * to nothing. The number of an entry that was used before stays the same over the frame, so that frequent ones still stand out.
 */
function writeFirstUses(
  target: Uint16Array,
  codes: Uint16Array,
  numbers: Uint32Array,
  nulls: Uint8Array | null,
): void {
  let seen = 0;
  for (let i = 0; i < target.length; i++) {
    const number = isNullAt(nulls, i) ? 0 : (numbers[codes[i] as number] as number);
    const isFirst = number === seen + 1;
    target[i] = isFirst ? 0 : number;
    if (isFirst) seen++;
  }
}

function writeCells(
  writer: BodyWriter,
  field: NamedField,
  values: readonly unknown[],
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  const lengthsAt = writer.length;
  writer.u32(count).fill(0);
  for (let i = 0; i < count; i++) {
    if (isNullAt(nulls, i)) continue;
    const value = values[i];
    const why = refusal(field.type, value);
    const cell = why !== null ? EMPTY : field.type === 'bytes' ? (value as Uint8Array) : packObjCell(value);
    if (why !== null || cell.length > LIMITS.cellBytesMax)
      throw cellInvalid(field, i, why ?? 'it is too large');
    writer.append(cell);
    writer.view.setUint32(lengthsAt + 4 * i, cell.length, true);
  }
  return { ...PLAIN, entries: 0 };
}

type StringColumn = Extract<Column, { kind: 'string' }>;

const EMPTY = new Uint8Array(0);

function cellInvalid(field: NamedField, i: number, why: string): MillraceError {
  return new MillraceError(
    'MR_RECORD_INVALID',
    `Field '${field.name}' (${field.type}) of record ${i} cannot be encoded: ${why}.`,
    {
      details: { field: field.name, record: i },
    },
  );
}
