import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../base/limits.ts';
import { type Column, isNullAt } from './batch.ts';
import { TIME_MAX_MS } from './field-check.ts';
import { align8, corrupt, ENCODING, POWERS_OF_TEN } from './frame-layout.ts';
import { unpackObjCell } from './obj-cell.ts';
import type { NumberArena } from './number-arena.ts';
import type { NamedField } from './schema.ts';
import { StringDictionary } from './string-dictionary.ts';

/** One section of a body and its directory entry. `start` is a multiple of 8; `end` lies within `body`. */
export interface Section {
  readonly body: Uint8Array;
  readonly view: DataView;
  /** Where the directory entry starts. */
  readonly entry: number;
  readonly start: number;
  readonly end: number;
  readonly records: number;
  readonly field: NamedField;
  /** Memory for numbers that are not stored as they are. */
  readonly numbers: NumberArena;
}

/** Reads one column and checks everything about it. @throws MR_FRAME_CORRUPT */
export function readColumn(section: Section): Column {
  const { view, entry, field } = section;
  const head: Head = {
    encoding: view.getUint8(entry + 3),
    exponent: view.getUint8(entry + 5),
    entries: view.getUint32(entry + 12, true),
    base: view.getFloat64(entry + 16, true),
  };
  checkHead(section, head);
  const nulls = readNulls(section);
  const at = section.start + (nulls === null ? 0 : align8(nulls.length));
  switch (field.type) {
    case 'f64':
    case 'time':
      return { kind: 'f64', values: readNumbers(section, head, at, nulls), nulls };
    case 'f32':
      return { kind: 'f64', values: readFloats(section, head, at, nulls), nulls };
    case 'i32':
      return { kind: 'i32', values: readInts(section, head, at, nulls), nulls };
    case 'bool':
      return { kind: 'bool', values: readBools(section, head, at, nulls), nulls };
    case 'i64':
      return { kind: 'i64', values: readBigInts(section, head, at, nulls), nulls };
    case 'string':
      return { kind: 'string', ...readStrings(section, head, at, nulls), nulls };
    case 'bytes':
    case 'obj':
      return { kind: 'cells', values: readCells(section, at, nulls), nulls };
  }
}

interface Head {
  readonly encoding: number;
  readonly exponent: number;
  readonly entries: number;
  readonly base: number;
}

const DECIMAL_EXPONENT_MAX = POWERS_OF_TEN.length - 1;

/** Fields that the encoding does not use must be zero, so that every bit of a directory entry means something. */
function checkHead({ view, entry, field }: Section, { encoding, exponent, entries }: Head): void {
  const isNumber = field.type === 'f64' || field.type === 'time';
  const isCells = field.type === 'bytes' || field.type === 'obj';
  const isString = field.type === 'string';
  const encodingMax = isNumber ? ENCODING.short : isCells ? ENCODING.plain : ENCODING.const;
  const hasExponent = encoding === ENCODING.decimal || encoding === ENCODING.short;
  const hasBase =
    encoding === ENCODING.offset || encoding === ENCODING.short || (encoding === ENCODING.const && !isString);
  const clean =
    (encoding <= encodingMax || (encoding === ENCODING.firstUse && isString)) &&
    view.getUint8(entry + 4) <= (field.nullable ? 1 : 0) &&
    exponent <= (hasExponent ? DECIMAL_EXPONENT_MAX : 0) &&
    view.getUint16(entry + 6, true) === 0 &&
    (isString || entries === 0) &&
    (hasBase || view.getBigUint64(entry + 16, true) === 0n);
  if (!clean) throw corrupt(`the directory entry of column '${field.name}' makes no sense`);
}

function readNulls({ body, view, entry, start, end, records, field }: Section): Uint8Array | null {
  if (view.getUint8(entry + 4) === 0) return null;
  const bytes = (records + 7) >>> 3;
  if (start + align8(bytes) > end) throw corrupt(`the null bitmap of column '${field.name}' is cut off`);
  const nulls = body.subarray(start, start + bytes);
  const spare = (records & 7) === 0 ? 0 : (nulls[bytes - 1] as number) >>> (records & 7);
  if (spare !== 0 || !allZero(body, start + bytes, start + align8(bytes))) {
    throw corrupt(`the null bitmap of column '${field.name}' marks records beyond the last`);
  }
  return nulls;
}

function readNumbers(
  section: Section,
  { encoding, exponent, base }: Head,
  at: number,
  nulls: Uint8Array | null,
): Float64Array {
  const values = numbersOf(section, encoding, exponent, base, at);
  if (nulls !== null) {
    if (encoding === ENCODING.plain) checkZeros(section, values, nulls);
    else for (let i = 0; i < values.length; i++) if (isNullAt(nulls, i)) values[i] = 0;
  }
  if (section.field.type === 'time') checkTimes(section, values);
  return values;
}

function numbersOf(
  section: Section,
  encoding: number,
  exponent: number,
  base: number,
  at: number,
): Float64Array {
  const { body, records } = section;
  if (encoding === ENCODING.const) return new Float64Array(checkedLength(section, at, 0)).fill(base);
  if (encoding === ENCODING.plain) {
    checkedLength(section, at, 8);
    return new Float64Array(body.buffer, body.byteOffset + at, records);
  }
  if (encoding !== ENCODING.decimal && !Number.isSafeInteger(base))
    throw corrupt(`the base of column '${section.field.name}' is not a whole number`);
  const power = POWERS_OF_TEN[exponent] as number;
  if (encoding === ENCODING.short) {
    checkedLength(section, at, 2);
    const shorts = new Uint16Array(body.buffer, body.byteOffset + at, records);
    const values = section.numbers.take(records);
    if (exponent === 0) for (let i = 0; i < records; i++) values[i] = base + (shorts[i] as number);
    else for (let i = 0; i < records; i++) values[i] = (base + (shorts[i] as number)) / power;
    return values;
  }
  checkedLength(section, at, 4);
  const ints = new Int32Array(body.buffer, body.byteOffset + at, records);
  const values = section.numbers.take(records);
  if (encoding === ENCODING.offset) for (let i = 0; i < records; i++) values[i] = base + (ints[i] as number);
  else for (let i = 0; i < records; i++) values[i] = (ints[i] as number) / power;
  return values;
}

function readFloats(
  section: Section,
  { encoding, base }: Head,
  at: number,
  nulls: Uint8Array | null,
): Float64Array {
  if (encoding === ENCODING.const) {
    if (!Object.is(Math.fround(base), base))
      throw corrupt(`column '${section.field.name}' repeats ${base}, which is not an f32`);
    return filled(new Float64Array(checkedLength(section, at, 0)), base, nulls);
  }
  checkedLength(section, at, 4);
  const values = Float64Array.from(
    new Float32Array(section.body.buffer, section.body.byteOffset + at, section.records),
  );
  checkZeros(section, values, nulls);
  return values;
}

function readInts(
  section: Section,
  { encoding, base }: Head,
  at: number,
  nulls: Uint8Array | null,
): Int32Array {
  if (encoding === ENCODING.const) {
    if ((base | 0) !== base)
      throw corrupt(`column '${section.field.name}' repeats ${base}, which is not an i32`);
    return filled(new Int32Array(checkedLength(section, at, 0)), base, nulls);
  }
  checkedLength(section, at, 4);
  const values = new Int32Array(section.body.buffer, section.body.byteOffset + at, section.records);
  checkZeros(section, values, nulls);
  return values;
}

function readBools(
  section: Section,
  { encoding, base }: Head,
  at: number,
  nulls: Uint8Array | null,
): Uint8Array {
  const { body, records, field } = section;
  if (encoding === ENCODING.const) {
    if (base !== 0 && base !== 1)
      throw corrupt(`column '${field.name}' repeats ${base}, which is not a bool`);
    return filled(new Uint8Array(checkedLength(section, at, 0)), base, nulls);
  }
  checkedLength(section, at, 1);
  const values = body.subarray(at, at + records);
  let bits = 0;
  for (let i = 0; i < records; i++) bits |= values[i] as number;
  if (bits > 1) throw corrupt(`column '${field.name}' holds a bool that is neither 0 nor 1`);
  checkZeros(section, values, nulls);
  return values;
}

function readBigInts(
  section: Section,
  { encoding }: Head,
  at: number,
  nulls: Uint8Array | null,
): BigInt64Array {
  const { body, view, entry, records } = section;
  if (encoding === ENCODING.plain) {
    checkedLength(section, at, 8);
    const values = new BigInt64Array(body.buffer, body.byteOffset + at, records);
    checkZeros(section, values, nulls);
    return values;
  }
  const values = new BigInt64Array(checkedLength(section, at, 0)).fill(view.getBigInt64(entry + 16, true));
  if (nulls !== null) for (let i = 0; i < records; i++) if (isNullAt(nulls, i)) values[i] = 0n;
  return values;
}

function readStrings(section: Section, { encoding, entries }: Head, at: number, nulls: Uint8Array | null) {
  const { body, end, records, field } = section;
  const codesBytes = encoding === ENCODING.const ? 0 : records * 2;
  const wordsAt = at + entries * 4;
  const codesAt = end - codesBytes;
  if (entries > records || wordsAt > codesAt || (codesAt & 3) !== 0) {
    throw corrupt(`the dictionary of column '${field.name}' does not fit its section`);
  }
  const lengths = new Uint32Array(body.buffer, body.byteOffset + at, entries);
  const words = new Int32Array(body.buffer, body.byteOffset + wordsAt, (codesAt - wordsAt) >>> 2);
  checkEntries(section, lengths, words);
  const codes = readCodes(section, encoding, codesAt, entries, nulls);
  return { codes, dictionary: new StringDictionary(words, lengths) };
}

/** Entries fill the words exactly, are padded with zeros (hashes run over words) and are each well-formed UTF-8. */
function checkEntries({ field }: Section, lengths: Uint32Array, words: Int32Array): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  let at = 0;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i] as number;
    const end = at + length;
    if (length > LIMITS.cellBytesMax || end > bytes.length)
      throw corrupt(`string ${i} of column '${field.name}' is too long`);
    if (length > 0 && ((bytes[at] as number) & 0xc0) === 0x80)
      throw corrupt(`string ${i} of column '${field.name}' is not UTF-8`);
    for (at = end; (at & 3) !== 0; at++)
      if (bytes[at] !== 0) throw corrupt(`string ${i} of column '${field.name}' is not padded with zeros`);
  }
  if (at !== bytes.length) throw corrupt(`bytes follow the last string of column '${field.name}'`);
  if (!isUtf8(bytes)) throw corrupt(`column '${field.name}' holds text that is not UTF-8`);
}

function readCodes(
  section: Section,
  encoding: number,
  at: number,
  entries: number,
  nulls: Uint8Array | null,
): Uint16Array {
  const { body, records } = section;
  const codes =
    encoding === ENCODING.const
      ? new Uint16Array(records)
      : new Uint16Array(body.buffer, body.byteOffset + at, records);
  if (encoding === ENCODING.firstUse) return codesByFirstUse(section, codes, entries, nulls);
  checkCodes(section, codes, entries, nulls);
  return codes;
}

/** Numbers count from 1, and 0 stands for the next; see frame-layout.ts. */
function codesByFirstUse(
  { field }: Section,
  numbers: Uint16Array,
  entries: number,
  nulls: Uint8Array | null,
): Uint16Array {
  const codes = new Uint16Array(numbers.length);
  let seen = 0;
  let wrong = 0; // negative once a number is above what was seen, or stands at a null
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    if (isNullAt(nulls, i)) wrong |= -number;
    else if (number === 0) codes[i] = seen++;
    else {
      codes[i] = number - 1;
      wrong |= seen - number;
    }
  }
  if (wrong < 0 || seen !== entries)
    throw corrupt(`column '${field.name}' does not use its ${entries} strings in their order`);
  return codes;
}

function checkCodes(section: Section, codes: Uint16Array, entries: number, nulls: Uint8Array | null): void {
  let max = -1;
  if (nulls === null) {
    for (let i = 0; i < codes.length; i++) if ((codes[i] as number) > max) max = codes[i] as number;
  } else {
    checkZeros(section, codes, nulls);
    for (let i = 0; i < codes.length; i++)
      if ((codes[i] as number) > max && !isNullAt(nulls, i)) max = codes[i] as number;
  }
  if (max >= entries) throw corrupt(`column '${section.field.name}' refers to string ${max} of ${entries}`);
}

function readCells(
  { body, view, end, records, field }: Section,
  at: number,
  nulls: Uint8Array | null,
): readonly unknown[] {
  let from = at + records * 4;
  if (from > end) throw corrupt(`the cell lengths of column '${field.name}' are cut off`);
  const values: unknown[] = [];
  for (let i = 0; i < records; i++) {
    const length = view.getUint32(at + 4 * i, true);
    if (length > LIMITS.cellBytesMax || from + length > end)
      throw corrupt(`cell ${i} of column '${field.name}' is too long`);
    if (isNullAt(nulls, i)) {
      if (length !== 0) throw corrupt(`cell ${i} of column '${field.name}' is null and yet has bytes`);
      values.push(null);
    } else {
      values.push(cellOf(field, i, body.subarray(from, from + length)));
      from += length;
    }
  }
  if (from !== end) throw corrupt(`bytes follow the last cell of column '${field.name}'`);
  return values;
}

/** Cells are copies, so that one that is kept does not hold its whole frame. */
function cellOf(field: NamedField, i: number, bytes: Uint8Array): unknown {
  if (field.type === 'bytes') return new Uint8Array(bytes);
  const cell = unpackObjCell(bytes);
  if (cell === undefined || cell.value === undefined || cell.value === null)
    throw corrupt(`cell ${i} of column '${field.name}' is not the msgpack of a plain value`);
  return cell.value;
}

/** Number of records, once the section is known to hold exactly that many values of `width` bytes from `at` on. */
function checkedLength({ end, records, field }: Section, at: number, width: number): number {
  if (at + records * width !== end) throw corrupt(`column '${field.name}' does not have ${records} values`);
  return records;
}

function filled<A extends Float64Array | Int32Array | Uint8Array>(
  values: A,
  base: number,
  nulls: Uint8Array | null,
): A {
  values.fill(base);
  if (nulls !== null) for (let i = 0; i < values.length; i++) if (isNullAt(nulls, i)) values[i] = 0;
  return values;
}

function checkZeros(
  { field }: Section,
  values: { readonly length: number; readonly [i: number]: number | bigint },
  nulls: Uint8Array | null,
): void {
  if (nulls === null) return;
  for (let i = 0; i < values.length; i++) {
    if (isNullAt(nulls, i) && Number(values[i]) !== 0)
      throw corrupt(`a null of column '${field.name}' has a value`);
  }
}

function checkTimes({ field }: Section, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= -TIME_MAX_MS && value <= TIME_MAX_MS))
      throw corrupt(`column '${field.name}' holds ${value}, which is no time`);
  }
}

function allZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
