import { invariant, MillraceError } from '../base/errors.ts';
import type { BodyWriter } from '../wire/body-writer.ts';
import { readColumn } from '../wire/column-decoder.ts';
import type { WrittenSection } from '../wire/column-encoder.ts';
import {
  align8,
  BODY_HEADER_BYTES,
  COLUMN_ENTRY_BYTES,
  corrupt,
  ENCODING,
  TYPE_CODES,
} from '../wire/frame-layout.ts';
import { writeEntry } from '../wire/frame-body.ts';
import { NumberArena } from '../wire/number-arena.ts';
import type { FieldType, NamedField } from '../wire/schema.ts';
import { writeNumberSection } from './number-section.ts';
import type { ReadColumn, ReadMarks } from './row-builder.ts';
import type { RowCodec } from './row-codec.ts';
import type { PlanNode } from './row-plan.ts';
import type { ColumnStore, MarkStore, StringColumn } from './row-store.ts';
import { ValueReader } from './value-reader.ts';
import { writeValue } from './value-writer.ts';

/**
 * The body of plain rows with their times, as drawn here and nowhere else; columns as in frame-layout.ts, without null bitmaps.
 *
 *     0  u32  columns, 1 + those of the shape
 *     4  u32  marks
 *     8  columns × 24 bytes, a directory entry each: the times (f64) as field 0, then field k for the k-th column of the shape,
 *        of type f64, bool, string, or obj for `any`
 *     …  marks × 8 bytes, ascending:
 *          0  u16  node of the shape, in pre-order
 *          2  u8   0: these records have null, 1: these have undefined
 *          3  5 × 0
 *     …  a section per column, in the same order, each padded to 8; `any`: one value (value-writer.ts) per record without gaps
 *     …  a bitmap per mark, each padded to 8
 *
 * A record without a value at a node has zero (code 0) in the columns of the node, and `undefined` where they are `any`.
 */
const MARK_BYTES = 8;
const MARK_KINDS = ['nulls', 'undefineds'] as const;

/** Objects and values of one batch, so that few bytes cannot ask for much memory. */
const VALUES_MAX = 1 << 20;

/**
 * Writes rows of the codec's shape into `writer`, which must be empty; false when one of them has another shape.
 * @throws MR_FRAME_TOO_LARGE, MR_RECORD_INVALID
 */
export function encodeRows(
  codec: RowCodec,
  rows: readonly unknown[],
  times: Float64Array,
  writer: BodyWriter,
): boolean {
  const count = rows.length;
  const { plan, stores } = codec;
  if (count * plan.nodeCount > VALUES_MAX) {
    throw new MillraceError(
      'MR_FRAME_TOO_LARGE',
      `A batch of ${count} rows with ${plan.nodeCount} values each is too large for an exchange; finish batches at fewer records.`,
    );
  }
  if (!codec.gather(rows)) return false;
  const marks = stores.marks.flatMap(marksOf);
  const columns = plan.columns.length + 1;
  writer.reserve(BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES + marks.length * MARK_BYTES);
  writer.view.setUint32(0, columns, true);
  writer.view.setUint32(4, marks.length, true);
  const start = writer.length;
  const timeSection = writeNumberSection(writer, times, count);
  writeEntry(writer.view, 0, TIMES, false, writer.length - start, timeSection);
  writer.pad();
  for (const node of plan.columns) {
    const sectionAt = writer.length;
    const section = writeSection(writer, node, stores.columns[node.column] as ColumnStore, count);
    writeEntry(writer.view, node.column + 1, fieldOf(node), false, writer.length - sectionAt, section);
    writer.pad();
  }
  const bitmapBytes = (count + 7) >>> 3;
  for (const [m, { node, kind }] of marks.entries()) {
    const entry = BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES + m * MARK_BYTES;
    writer.bytes.fill(0, entry, entry + MARK_BYTES);
    writer.view.setUint16(entry, node, true);
    writer.view.setUint8(entry + 2, kind);
    writer.append((stores.marks[node] as MarkStore)[MARK_KINDS[kind]].subarray(0, bitmapBytes));
    writer.pad();
  }
  return true;
}

/**
 * Reads rows back. Nothing is trusted; the rows share no memory with `body`, the times may.
 * @param body starts at a multiple of 8 of its buffer
 * @throws MR_FRAME_CORRUPT
 */
export function decodeRows(
  codec: RowCodec,
  body: Uint8Array,
  count: number,
): { readonly rows: unknown[]; readonly times: Float64Array } {
  const { plan } = codec;
  const columns = plan.columns.length + 1;
  if (count * plan.nodeCount > VALUES_MAX) throw corrupt(`it claims ${count} rows`);
  const marksAt = BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES;
  if (body.length < marksAt) throw corrupt('its directory of columns is cut off');
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const marks = view.getUint32(4, true);
  if (view.getUint32(0, true) !== columns || marks > 2 * plan.nodeCount)
    throw corrupt('its columns are not those of its shape');
  const reading: Reading = {
    body,
    view,
    count,
    at: marksAt + marks * MARK_BYTES,
    // The smallest form of a number takes two bytes.
    numbers: new NumberArena(Math.min(columns, Math.floor(body.length / (2 * count)))),
  };
  if (reading.at > body.length) throw corrupt('its directory of marks is cut off');
  const times = readSection(reading, TIMES, 0);
  if (times.kind !== 'f64') throw corrupt('its times are not numbers');
  const read = plan.columns.map((node) => readValues(reading, codec, node));
  const marked = readMarks(reading, plan.nodeCount, marksAt, marks, (node) => codec.kinds[node] ?? null);
  if (reading.at !== body.length) throw corrupt(`${body.length - reading.at} bytes follow its last section`);
  return { rows: codec.build(count, { columns: read, marks: marked }), times: times.values };
}

/** Where a body has been read up to. */
interface Reading {
  readonly body: Uint8Array;
  readonly view: DataView;
  readonly count: number;
  readonly numbers: NumberArena;
  at: number;
}

const TIMES: NamedField = { id: 0, name: 'times', type: 'f64', nullable: false, eventTime: false };
const TYPES: Partial<Record<PlanNode['kind'], FieldType>> = {
  number: 'f64',
  boolean: 'bool',
  string: 'string',
  any: 'obj',
};
const NO_TEXTS: readonly string[] = [];

function fieldOf({ kind, column, path }: PlanNode): NamedField {
  const type = TYPES[kind];
  invariant(type !== undefined, `a value that is ${kind} has no column`);
  return { id: column + 1, name: path, type, nullable: false, eventTime: false };
}

function marksOf({ hasNulls, hasUndefineds }: MarkStore, node: number) {
  return [
    ...(hasNulls ? [{ node, kind: 0 as const }] : []),
    ...(hasUndefineds ? [{ node, kind: 1 as const }] : []),
  ];
}

function writeSection(
  writer: BodyWriter,
  node: PlanNode,
  column: ColumnStore,
  count: number,
): WrittenSection {
  switch (column.kind) {
    case 'number':
      return writeNumberSection(writer, column.values, count);
    case 'boolean':
      writer.append(column.values.subarray(0, count));
      return PLAIN_SECTION;
    case 'string':
      return writeStrings(writer, column, count);
    case 'any':
      for (let i = 0; i < count; i++) writeValue(writer, column.values[i], node.path);
      return PLAIN_SECTION;
  }
}

const PLAIN_SECTION: WrittenSection = { encoding: ENCODING.plain, exponent: 0, base: 0, entries: 0 };

function writeStrings(writer: BodyWriter, column: StringColumn, count: number): WrittenSection {
  // Code 0 stands for no value too, and must mean something.
  if (column.dictionary.byteCount === 0) column.dictionary.add('');
  const { lengths, bytes, size } = column.dictionary.finish();
  writer.u32(size).set(lengths);
  writer.append(bytes);
  if (size === 1) return { ...PLAIN_SECTION, encoding: ENCODING.const, entries: 1 };
  writer.u16(count).set(column.values.subarray(0, count));
  return { ...PLAIN_SECTION, entries: size };
}

function readValues(reading: Reading, codec: RowCodec, node: PlanNode): ReadColumn {
  const field = fieldOf(node);
  if (node.kind === 'any') return { values: readAny(reading, field), texts: NO_TEXTS };
  const column = readSection(reading, field, field.id);
  switch (column.kind) {
    case 'f64':
    case 'bool':
      return { values: column.values, texts: NO_TEXTS };
    case 'string':
      return { values: column.codes, texts: codec.texts(node.column, column.dictionary) };
    default:
      throw corrupt(`column '${field.name}' cannot be one of rows`);
  }
}

function readSection(reading: Reading, field: NamedField, c: number) {
  const { body, view, count, numbers } = reading;
  const { entry, start, end } = nextSection(reading, field, c);
  return readColumn({ body, view, entry, start, end, records: count, field, numbers });
}

function readAny(reading: Reading, field: NamedField): unknown[] {
  const { body, view, count } = reading;
  const { entry, start, end } = nextSection(reading, field, field.id);
  const isPlain =
    view.getUint32(entry, true) >>> 24 === ENCODING.plain && view.getUint32(entry + 4, true) === 0;
  const isClean = view.getUint32(entry + 12, true) === 0 && view.getBigUint64(entry + 16, true) === 0n;
  if (!isPlain || !isClean) throw corrupt(`the directory entry of column '${field.name}' makes no sense`);
  if (count > end - start) throw corrupt(`column '${field.name}' does not have ${count} values`);
  const reader = new ValueReader(body, start, end);
  const values = new Array<unknown>(count);
  for (let i = 0; i < count; i++) values[i] = reader.value();
  if (reader.at !== end) throw corrupt(`bytes follow the last value of column '${field.name}'`);
  return values;
}

/** The section of a column, behind which the reading goes on. */
function nextSection(reading: Reading, field: NamedField, c: number) {
  const { body, view, at: start } = reading;
  const entry = BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES;
  if (view.getUint16(entry, true) !== field.id || view.getUint8(entry + 2) !== TYPE_CODES[field.type])
    throw corrupt(`column ${c} is not '${field.name}' (${field.type})`);
  const end = start + view.getUint32(entry + 8, true);
  skipTo(reading, end, align8(end));
  invariant(end <= body.length, 'a section ends within its body');
  return { entry, start, end };
}

/** Goes on at `next`, with nothing but zeros in front of it. */
function skipTo(reading: Reading, end: number, next: number): void {
  if (next > reading.body.length) throw corrupt('a section ends beyond the body');
  for (let i = end; i < next; i++)
    if (reading.body[i] !== 0) throw corrupt('bytes after a section are not zero');
  reading.at = next;
}

function readMarks(
  reading: Reading,
  nodes: number,
  directoryAt: number,
  marks: number,
  kindOf: (node: number) => PlanNode['kind'] | null,
): ReadMarks[] {
  const { body, view, count } = reading;
  const read = Array.from({ length: nodes }, (): ReadMarks => ({ nulls: null, undefineds: null }));
  const bytes = (count + 7) >>> 3;
  let last = -1;
  for (let m = 0; m < marks; m++) {
    const entry = directoryAt + m * MARK_BYTES;
    const node = view.getUint16(entry, true);
    const kind = MARK_KINDS[view.getUint8(entry + 2)];
    const order = node * 2 + view.getUint8(entry + 2);
    const rest = view.getUint32(entry + 4, true) | view.getUint8(entry + 3);
    const of = kindOf(node);
    if (kind === undefined || of === null || of === 'any' || order <= last || rest !== 0)
      throw corrupt(`mark ${m} makes no sense`);
    last = order;
    const bits = new Uint8Array(
      body.buffer,
      body.byteOffset + reading.at,
      Math.min(bytes, body.length - reading.at),
    );
    skipTo(reading, reading.at + bytes, align8(reading.at + bytes));
    if ((count & 7) !== 0 && (bits[bytes - 1] as number) >>> (count & 7) !== 0)
      throw corrupt(`mark ${m} is set for records beyond the last`);
    (read[node] as ReadMarks)[kind] = bits;
  }
  return read;
}
