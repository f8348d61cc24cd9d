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
 */
export function writeColumn(
  writer: BodyWriter,
  field: NamedField,
  column: Column,
  count: number,
  nulls: Uint8Array | null,
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
      return writeStrings(writer, column, count, nulls);
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

function writeStrings(
  writer: BodyWriter,
  column: StringColumn,
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  const { dictionary } = column;
  const used = new Uint8Array(dictionary.size);
  let entries = 0;
  for (let i = 0; i < count; i++) {
    if (isNullAt(nulls, i)) continue;
    const code = column.codes[i] as number;
    if (used[code] === 1) continue;
    invariant(code < used.length, `string code ${code} of record ${i} has an entry among ${used.length}`);
    used[code] = 1;
    entries++;
  }
  const newCodes = entries === dictionary.size ? null : writeUsedEntries(writer, dictionary, used, entries);
  if (newCodes === null) {
    writer.u32(entries).set(dictionary.lengths);
    writer.append(dictionary.bytes);
  }
  if (entries <= 1) return { encoding: ENCODING.const, exponent: 0, base: 0, entries };
  const target = writer.u16(count);
  if (nulls === null && newCodes === null) {
    target.set(column.codes.length === count ? column.codes : column.codes.subarray(0, count));
    return { ...PLAIN, entries };
  }
  for (let i = 0; i < count; i++) {
    const code = column.codes[i] as number;
    target[i] = isNullAt(nulls, i) ? 0 : newCodes === null ? code : (newCodes[code] as number);
  }
  return { ...PLAIN, entries };
}

/**
 * A batch that was filtered still has the dictionary of the batch it came from; only the entries it uses travel, in
 * their old order. Returns old code → new code.
 */
function writeUsedEntries(
  writer: BodyWriter,
  from: StringDictionary,
  used: Uint8Array,
  entries: number,
): Uint16Array {
  const newCodes = new Uint16Array(from.size);
  const lengths = writer.u32(entries);
  let next = 0;
  for (let code = 0; code < from.size; code++) {
    if (used[code] === 0) continue;
    lengths[next] = from.lengths[code] as number;
    newCodes[code] = next++;
  }
  for (let code = 0; code < from.size; code++) {
    if (used[code] === 0) continue;
    const start = from.starts[code] as number;
    writer.append(from.bytes.subarray(start, start + (((from.lengths[code] as number) + 3) & ~3)));
  }
  return newCodes;
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
