import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type Batch, isNullAt } from './batch.ts';
import type { BodyWriter } from './body-writer.ts';
import type { Section } from './column-decoder.ts';
import { type WrittenSection, writeColumn } from './column-encoder.ts';
import { ColumnsInUse, DecodedBatch } from './decoded-batch.ts';
import {
  align8,
  BODY_HEADER_BYTES,
  COLUMN_ENTRY_BYTES,
  corrupt,
  ENCODING,
  TYPE_CODES,
} from './frame-layout.ts';
import { NumberArena } from './number-arena.ts';
import type { NamedField, Schema } from './schema.ts';

/**
 * Writes the columnar body (frame-layout.ts) of a batch into `writer`, which must be empty.
 * @param compressible whether it will be compressed
 * @throws MR_RECORD_INVALID for nulls in a field that is not nullable and cells that cannot be packed
 * @throws MR_FRAME_TOO_LARGE beyond LIMITS.frameBodyBytesMax
 */
export function encodeBody(batch: Batch, writer: BodyWriter, compressible = false): void {
  const { fields } = batch.schema;
  writer.reserve(BODY_HEADER_BYTES + fields.length * COLUMN_ENTRY_BYTES);
  writer.view.setUint32(0, fields.length, true);
  writer.view.setUint32(4, batch.count, true);
  for (const [c, field] of fields.entries()) {
    const column = batch.column(c);
    const start = writer.length;
    const nulls = usedNulls(column.nulls, batch.count);
    if (nulls !== null) {
      if (!field.nullable) throw nullRefused(batch.schema, field);
      writer.append(nulls);
      writer.pad();
    }
    const section = writeColumn(writer, field, column, batch.count, nulls, compressible);
    writeEntry(writer.view, c, field, nulls !== null, writer.length - start, section);
    writer.pad();
  }
}

/**
 * Reads a body back as a batch. Plain columns are views of `body`, whose owner the batch becomes; everything else is new.
 * Nothing is trusted: sizes, codes, padding, text and cells are checked, and nothing is allocated beyond what `body`
 * and `records` account for.
 * @param body starts at a multiple of 8 of its buffer
 * @param inUse which columns to decode at once; without it, all
 * @param crcs of the columns (column-crcs.ts), if it has not been checked as a whole
 * @throws MR_FRAME_CORRUPT; MR_SCHEMA_MISMATCH when its columns are not those of `schema`
 */
export function decodeBody<Row>(
  body: Uint8Array,
  schema: Schema<Row>,
  records: number,
  inUse = new ColumnsInUse(),
  crcs: DataView | null = null,
): Batch<Row> {
  const { fields } = schema;
  const directoryEnd = BODY_HEADER_BYTES + fields.length * COLUMN_ENTRY_BYTES;
  if (body.length < BODY_HEADER_BYTES) throw corrupt('its body has no header');
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const columnCount = view.getUint32(0, true);
  if (columnCount !== fields.length) {
    throw mismatch(schema, `it has ${columnCount} columns, the schema has ${fields.length}`);
  }
  if (view.getUint32(4, true) !== records)
    throw corrupt('body and envelope disagree on the number of records');
  if (records < 1 || records > LIMITS.frameRecordsMax) throw corrupt(`it claims ${records} records`);
  if (body.length < directoryEnd) throw corrupt('its directory of columns is cut off');
  const sections: Section[] = [];
  const numbers = new NumberArena(packedColumns(view, fields.length, inUse));
  let at = directoryEnd;
  for (const [c, field] of fields.entries()) {
    const entry = BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES;
    if (view.getUint16(entry, true) !== field.id || view.getUint8(entry + 2) !== TYPE_CODES[field.type]) {
      throw mismatch(schema, `column ${c} is not '${field.name}' (id ${field.id}, ${field.type})`);
    }
    const end = at + view.getUint32(entry + 8, true);
    if (align8(end) > body.length) throw corrupt(`column '${field.name}' ends beyond the body`);
    sections.push({ body, view, entry, start: at, end, records, field, numbers });
    at = align8(end);
  }
  if (at !== body.length) throw corrupt(`${body.length - at} bytes follow the last column`);
  return new DecodedBatch(schema, records, sections, inUse, crcs);
}

/** Columns to be decoded at once whose numbers are stored smaller than they are. */
function packedColumns(view: DataView, count: number, inUse: ColumnsInUse): number {
  let packed = 0;
  for (let c = 0; c < count; c++) {
    const encoding = view.getUint8(BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES + 3);
    if (encoding >= ENCODING.decimal && encoding <= ENCODING.short && inUse.has(c)) packed++;
  }
  return packed;
}

/** The directory entry of column `c` of a body that starts where `view` does. */
export function writeEntry(
  view: DataView,
  c: number,
  field: NamedField,
  hasNulls: boolean,
  bytes: number,
  section: WrittenSection,
): void {
  const entry = BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES;
  view.setUint16(entry, field.id, true);
  view.setUint8(entry + 2, TYPE_CODES[field.type]);
  view.setUint8(entry + 3, section.encoding);
  view.setUint8(entry + 4, hasNulls ? 1 : 0);
  view.setUint8(entry + 5, section.exponent);
  view.setUint16(entry + 6, 0, true);
  view.setUint32(entry + 8, bytes, true);
  view.setUint32(entry + 12, section.entries, true);
  if (section.bigBase === undefined) view.setFloat64(entry + 16, section.base, true);
  else view.setBigInt64(entry + 16, section.bigBase, true);
}

/** The bitmap of exactly `count` records with no other bits, or null when no bit is set. */
function usedNulls(nulls: Uint8Array | null, count: number): Uint8Array | null {
  if (nulls === null) return null;
  const used = new Uint8Array((count + 7) >>> 3);
  let any = false;
  for (let i = 0; i < count; i++) {
    if (!isNullAt(nulls, i)) continue;
    used[i >>> 3] = (used[i >>> 3] as number) | (1 << (i & 7));
    any = true;
  }
  return any ? used : null;
}

function nullRefused(schema: Schema, field: NamedField): MillraceError {
  return new MillraceError(
    'MR_RECORD_INVALID',
    `Field '${field.name}' of schema '${schema.name}' is not nullable, but the batch has nulls in it.`,
    { details: { schema: schema.name, field: field.name } },
  );
}

function mismatch(schema: Schema, why: string): MillraceError {
  return new MillraceError(
    'MR_SCHEMA_MISMATCH',
    `Frame does not fit schema '${schema.name}' (${schema.id}): ${why}. Decode it with the schema it was written with.`,
    { details: { schema: schema.name, schemaId: schema.id } },
  );
}
