import { errorText, MillraceError, type SinkInput } from '#engine';
import { type Batch, type Column, isNullAt, type NamedField, type Schema } from '#wire';
import type { ColumnSource } from './column-buffer.ts';

/** Rows of one `write`, checked: what is in `rows` fits the table. */
export interface IncomingRows {
  /** In schema order. */
  readonly columns: readonly ColumnSource[];
  /** Indices of the rows to take, ascending; only the first `count` are meant. */
  readonly rows: Uint32Array;
  readonly count: number;
}

/** Event times that a JavaScript Date can hold, ±271 821 years; microseconds of all of them fit an int64. */
const TIME_MS_MAX = 8.64e15;

/**
 * Turns a sink's input into checked columns. A row that the table cannot hold is given to `refuse` with the reason and left out.
 * @throws MR_SCHEMA_MISMATCH when a batch lacks a column of the table.
 */
export function incomingRows<Row>(
  schema: Schema<Row>,
  input: SinkInput<Row>,
  refuse: (row: unknown, reason: string) => void,
): IncomingRows {
  const refused = new Map<number, string>();
  if (input.kind === 'rows') {
    const columns = schema.fields.map((field) => columnOfRows(field, input.rows, refused));
    return accepted(columns, allRows(input.rows.length), refused, (row) =>
      refuse(input.rows[row], refused.get(row) ?? ''),
    );
  }
  const { batch, selection } = input;
  const rows = selection === null ? allRows(batch.count) : new Uint32Array(selection);
  const columns = schema.fields.map((field) =>
    checkedColumn(field, columnOfBatch(field, batch), rows, refused),
  );
  return accepted(columns, rows, refused, (row) => refuse(rowOf(batch, row), refused.get(row) ?? ''));
}

/** Why a value does not fit its field, or null. */
function refusal(field: NamedField, value: unknown): string | null {
  if (value === null || value === undefined)
    return field.nullable ? null : `'${field.name}' is ${value}, which it may not be`;
  return FITS[field.type](value) ? null : `'${field.name}' is ${shown(value)}, not ${field.type}`;
}

const FITS: Readonly<Record<NamedField['type'], (value: unknown) => boolean>> = {
  f64: (value) => typeof value === 'number',
  f32: (value) => typeof value === 'number',
  i32: (value) => Number.isInteger(value) && ((value as number) | 0) === value,
  i64: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  bool: (value) => typeof value === 'boolean',
  time: (value) => typeof value === 'number' && Math.abs(value) <= TIME_MS_MAX, // false for NaN
  string: (value) => typeof value === 'string',
  bytes: (value) => value instanceof Uint8Array,
  obj: () => true,
};

function columnOfRows(
  field: NamedField,
  rows: readonly unknown[],
  refused: Map<number, string>,
): ColumnSource {
  const { name } = field;
  const values: unknown[] = new Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const value = (rows[i] as Readonly<Record<string, unknown>>)[name];
    const reason = refusal(field, value);
    if (reason !== null) refused.set(i, reason);
    else values[i] = field.type === 'obj' ? jsonText(field, value, i, refused) : value;
  }
  return { kind: 'values', values };
}

function columnOfBatch(field: NamedField, batch: Batch): Column | null {
  const index = batch.schema.fields.findIndex(
    (other) => other.name === field.name && other.type === field.type,
  );
  if (index >= 0) return batch.column(index);
  if (field.nullable) return null;
  throw new MillraceError(
    'MR_SCHEMA_MISMATCH',
    `Rows of schema '${batch.schema.name}' have no ${field.type} field '${field.name}', which the table requires. Add it or map the rows first.`,
  );
}

/** Columns hold valid values by construction, but for times, nulls of another schema, and what JSON cannot say. */
function checkedColumn(
  field: NamedField,
  column: Column | null,
  rows: Uint32Array,
  refused: Map<number, string>,
): ColumnSource {
  if (column === null) return { kind: 'values', values: [] }; // every value reads as undefined, that is null
  if (!field.nullable && column.nulls !== null) {
    for (const row of rows)
      if (isNullAt(column.nulls, row)) refused.set(row, `'${field.name}' is null, which it may not be`);
  }
  if (field.type === 'time' && column.kind === 'f64') {
    for (const row of rows) {
      const time = column.values[row] as number;
      if (!(Math.abs(time) <= TIME_MS_MAX)) refused.set(row, `'${field.name}' is ${time}, not time`);
    }
  }
  if (field.type !== 'obj' || column.kind !== 'cells') return column;
  const values: unknown[] = new Array(column.values.length);
  for (const row of rows) {
    values[row] = isNullAt(column.nulls, row) ? null : jsonText(field, column.values[row], row, refused);
  }
  return { kind: 'values', values };
}

function jsonText(
  field: NamedField,
  value: unknown,
  row: number,
  refused: Map<number, string>,
): string | null {
  if (value === null || value === undefined) return null;
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return text;
    refused.set(row, `'${field.name}' is ${shown(value)}, which JSON cannot hold`);
  } catch (error) {
    refused.set(row, `'${field.name}' cannot be written as JSON: ${errorText(error)}`);
  }
  return null;
}

function accepted(
  columns: readonly ColumnSource[],
  rows: Uint32Array,
  refused: ReadonlyMap<number, string>,
  refuse: (row: number) => void,
): IncomingRows {
  if (refused.size === 0) return { columns, rows, count: rows.length };
  for (const row of [...refused.keys()].sort((a, b) => a - b)) refuse(row);
  const kept = rows.filter((row) => !refused.has(row));
  return { columns, rows: kept, count: kept.length };
}

function rowOf(batch: Batch, row: number): Record<string, unknown> {
  const entries = batch.schema.fields.map(({ name }, i) => [name, valueAt(batch.column(i), row)]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** The value of one row as rows have it. */
export function valueAt(source: ColumnSource, row: number): unknown {
  if (source.kind === 'values') return source.values[row] ?? null;
  if (isNullAt(source.nulls, row)) return null;
  if (source.kind === 'string') return source.dictionary.text(source.codes[row] as number);
  return source.kind === 'bool' ? source.values[row] === 1 : source.values[row];
}

function shown(value: unknown): string {
  const isPlain = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string';
  return isPlain ? `${typeof value} ${value}`.slice(0, 80) : `a ${typeof value}`;
}

let ascending = new Uint32Array(0);

/** 0, 1, 2 … `count` − 1; a view of one array kept for all calls, which nobody writes to. */
function allRows(count: number): Uint32Array {
  if (ascending.length < count) ascending = Uint32Array.from({ length: count * 2 }, (_, i) => i);
  return ascending.subarray(0, count);
}
