import { invariant } from '../base/errors.ts';
import { type Batch, type Column, isNullAt } from '../wire/batch.ts';
import type { BodyWriter } from '../wire/body-writer.ts';
import { type WrittenSection, writeColumn } from '../wire/column-encoder.ts';
import { writeEntry } from '../wire/frame-body.ts';
import { BODY_HEADER_BYTES, COLUMN_ENTRY_BYTES, ENCODING } from '../wire/frame-layout.ts';
import type { NamedField } from '../wire/schema.ts';

/**
 * Writes the chosen records of a batch as a body (frame-layout.ts) into `writer`, which must be empty; decodeBody reads it. Numbers
 * stay plain, so that both ends copy memory: of a selection value by value, else as a whole. Dictionaries shrink to the entries used.
 * @throws MR_FRAME_TOO_LARGE
 */
export function encodeSelection(batch: Batch, selection: Uint16Array | null, writer: BodyWriter): void {
  const { fields } = batch.schema;
  const count = selection === null ? batch.count : selection.length;
  writer.reserve(BODY_HEADER_BYTES + fields.length * COLUMN_ENTRY_BYTES);
  writer.view.setUint32(0, fields.length, true);
  writer.view.setUint32(4, count, true);
  for (let c = 0; c < fields.length; c++) {
    const field = fields[c] as NamedField;
    const column = batch.column(c);
    const start = writer.length;
    const nulls = selectedNulls(column.nulls, selection, count);
    invariant(nulls === null || field.nullable, `field '${field.name}' has nulls only where it may`);
    if (nulls !== null) {
      writer.append(nulls);
      writer.pad();
    }
    const section = writeSelected(writer, field, column, selection, count, nulls);
    writeEntry(writer.view, c, field, nulls !== null, writer.length - start, section);
    writer.pad();
  }
}

const PLAIN_SECTION: WrittenSection = { encoding: ENCODING.plain, exponent: 0, base: 0, entries: 0 };

function writeSelected(
  writer: BodyWriter,
  field: NamedField,
  column: Column,
  selection: Uint16Array | null,
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  switch (column.kind) {
    case 'f64': {
      const to = field.type === 'f32' ? writer.f32(count) : writer.f64(count);
      if (selection === null) to.set(used(column.values, count));
      else if (to instanceof Float64Array) selectF64(to, column.values, selection);
      else selectF32(to, column.values, selection);
      zeroNulls(to, nulls);
      return PLAIN_SECTION;
    }
    case 'i32': {
      const to = writer.i32(count);
      if (selection === null) to.set(used(column.values, count));
      else selectI32(to, column.values, selection);
      zeroNulls(to, nulls);
      return PLAIN_SECTION;
    }
    case 'bool': {
      const to = writer.u8(count);
      if (selection === null) to.set(used(column.values, count));
      else selectU8(to, column.values, selection);
      zeroNulls(to, nulls);
      return PLAIN_SECTION;
    }
    case 'string':
      return writeStrings(writer, column, selection, count, nulls);
    case 'i64': {
      const values =
        selection === null ? column.values : BigInt64Array.from(selection, (i) => column.values[i] as bigint);
      return writeColumn(writer, field, { kind: 'i64', values, nulls }, count, nulls);
    }
    case 'cells': {
      const values = selection === null ? column.values : Array.from(selection, (i) => column.values[i]);
      return writeColumn(writer, field, { kind: 'cells', values, nulls }, count, nulls);
    }
  }
}

// One loop per kind of array: a shared one would test the kind at every value.

function selectF64(to: Float64Array, from: Float64Array, selection: Uint16Array): void {
  for (let k = 0; k < selection.length; k++) to[k] = from[selection[k] as number] as number;
}

function selectF32(to: Float32Array, from: Float64Array, selection: Uint16Array): void {
  for (let k = 0; k < selection.length; k++) to[k] = from[selection[k] as number] as number;
}

function selectI32(to: Int32Array, from: Int32Array, selection: Uint16Array): void {
  for (let k = 0; k < selection.length; k++) to[k] = from[selection[k] as number] as number;
}

function selectU8(to: Uint8Array, from: Uint8Array, selection: Uint16Array): void {
  for (let k = 0; k < selection.length; k++) to[k] = from[selection[k] as number] as number;
}

type StringColumn = Extract<Column, { kind: 'string' }>;

/** Memory of one column being written, kept: new codes by old (0 = not used yet, else + 1), the old codes used, and the new ones. */
const newCodes = new Int32Array(65_536);
const usedCodes = new Uint16Array(65_536);
const codes = new Uint16Array(65_536);

function writeStrings(
  writer: BodyWriter,
  { codes: from, dictionary }: StringColumn,
  selection: Uint16Array | null,
  count: number,
  nulls: Uint8Array | null,
): WrittenSection {
  if (selection === null && nulls === null && dictionary.size <= count) {
    writer.u32(dictionary.size).set(dictionary.lengths);
    writer.append(dictionary.bytes);
    if (dictionary.size === 1) return { ...PLAIN_SECTION, encoding: ENCODING.const, entries: 1 };
    writer.u16(count).set(used(from, count));
    return { ...PLAIN_SECTION, entries: dictionary.size };
  }
  newCodes.fill(0, 0, dictionary.size);
  const entries = renumber(from, selection, count, nulls);
  const { starts, lengths, words } = dictionary;
  const newLengths = writer.u32(entries);
  let wordCount = 0;
  for (let e = 0; e < entries; e++) {
    const length = lengths[usedCodes[e] as number] as number;
    newLengths[e] = length;
    wordCount += (length + 3) >>> 2;
  }
  const to = writer.i32(wordCount);
  let at = 0;
  for (let e = 0; e < entries; e++) {
    const start = (starts[usedCodes[e] as number] as number) >>> 2;
    const end = start + (((newLengths[e] as number) + 3) >>> 2);
    for (let word = start; word < end; word++) to[at++] = words[word] as number;
  }
  if (entries <= 1) return { ...PLAIN_SECTION, encoding: ENCODING.const, entries };
  writer.u16(count).set(codes.subarray(0, count));
  return { ...PLAIN_SECTION, entries };
}

/** Fills {@link codes} and {@link usedCodes}, in the order of first use; gives the number of entries used. */
function renumber(
  from: Uint16Array,
  selection: Uint16Array | null,
  count: number,
  nulls: Uint8Array | null,
): number {
  let entries = 0;
  for (let k = 0; k < count; k++) {
    if (nulls !== null && isNullAt(nulls, k)) {
      codes[k] = 0;
      continue;
    }
    const old = from[selection === null ? k : (selection[k] as number)] as number;
    let code = newCodes[old] as number;
    if (code === 0) {
      usedCodes[entries++] = old;
      code = entries;
      newCodes[old] = code;
    }
    codes[k] = code - 1;
  }
  return entries;
}

/** The bitmap of the chosen records, or null when none of them is null. */
function selectedNulls(
  nulls: Uint8Array | null,
  selection: Uint16Array | null,
  count: number,
): Uint8Array | null {
  if (nulls === null) return null;
  const selected = new Uint8Array((count + 7) >>> 3);
  let any = 0;
  for (let k = 0; k < count; k++) {
    const i = selection === null ? k : (selection[k] as number);
    const bit = ((nulls[i >>> 3] as number) >>> (i & 7)) & 1;
    any |= bit;
    selected[k >>> 3] = (selected[k >>> 3] as number) | (bit << (k & 7));
  }
  return any === 0 ? null : selected;
}

function zeroNulls(
  values: Float64Array | Float32Array | Int32Array | Uint8Array,
  nulls: Uint8Array | null,
): void {
  if (nulls === null) return;
  for (let k = 0; k < values.length; k++) if (isNullAt(nulls, k)) values[k] = 0;
}

function used<A extends { readonly length: number; subarray(start: number, end: number): A }>(
  values: A,
  count: number,
): A {
  return values.length === count ? values : values.subarray(0, count);
}
