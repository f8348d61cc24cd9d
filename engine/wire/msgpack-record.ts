import { MillraceError } from '../base/errors.ts';
import { recordInvalid, valueText } from './field-check.ts';
import { unpackObjCell } from './obj-cell.ts';
import { parseField } from './record-parser.ts';
import type { NamedField, Schema } from './schema.ts';

/**
 * A row from the msgpack bytes of one map. Fields are checked as {@link recordParser} does; beyond its forms, numbers may come as 64-bit
 * integers, which many encoders write them as, and times as timestamps.
 * @throws MR_RECORD_INVALID for bytes that are not one map with string keys, or hold extensions other than timestamps, too
 */
export function parseMsgpackRecord<Row>(schema: Schema<Row>, bytes: Uint8Array): Row {
  const given = unpackObjCell(bytes)?.value;
  if (typeof given !== 'object' || given === null || Array.isArray(given) || isLeaf(given)) {
    const shown = given === undefined ? valueText(bytes) : valueText(given);
    throw new MillraceError(
      'MR_RECORD_INVALID',
      `A record of schema '${schema.name}' must be one msgpack map with string keys, got ${shown}.`,
      { details: { schema: schema.name, value: shown } },
    );
  }
  const row: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value = Object.hasOwn(given, field.name)
      ? (given as Record<string, unknown>)[field.name]
      : undefined;
    row[field.name] = parseField(schema, field, jsonForm(schema, field, value));
  }
  return row as Row;
}

function isLeaf(value: object): boolean {
  return value instanceof Uint8Array || value instanceof Date;
}

/** What JSON would have carried for the value. */
function jsonForm(schema: Schema, field: NamedField, value: unknown): unknown {
  if (field.type === 'time' && value instanceof Date) return value.getTime();
  if (typeof value !== 'bigint' || field.type === 'i64' || field.type === 'obj') return value;
  const number = Number(value);
  if (BigInt(number) !== value) throw recordInvalid(schema, field, value, 'it is no 64-bit float exactly');
  return number;
}
