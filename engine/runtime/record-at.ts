import { type RowReader, rowReader } from '../wire/row-reader.ts';
import type { Schema } from '../wire/schema.ts';
import type { Records } from './operator.ts';

const readers = new WeakMap<Schema, RowReader<unknown>>();

/** The schema's row reader, generated once per schema. */
function readerOf(schema: Schema): RowReader<unknown> {
  let reader = readers.get(schema);
  if (reader === undefined) {
    reader = rowReader(schema);
    readers.set(schema, reader);
  }
  return reader;
}

/** Records meant, not rows present. */
export function recordCount(records: Records): number {
  if (records.kind === 'rows') return records.rows.length;
  return records.selection === null ? records.batch.count : records.selection.length;
}

/** The k-th meant record as a plain row. */
export function rowAt(records: Records, k: number): unknown {
  if (records.kind === 'rows') return records.rows[k];
  const i = records.selection === null ? k : (records.selection[k] as number);
  return readerOf(records.batch.schema)(records.batch, i);
}

export function timeAt(records: Records, k: number): number {
  if (records.kind === 'rows') return records.times[k] as number;
  const i = records.selection === null ? k : (records.selection[k] as number);
  return records.batch.times[i] as number;
}
