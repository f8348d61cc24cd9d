import { errorText, MillraceError } from '../base/errors.ts';
import type { BatchBuilder } from '../wire/batch-builder.ts';
import { JsonScanner } from '../wire/json-scanner.ts';
import { parseMsgpackRecord } from '../wire/msgpack-record.ts';
import { parseField } from '../wire/record-parser.ts';
import type { NamedField, Schema } from '../wire/schema.ts';
import type { StreamEntries } from './stream-entries.ts';

/**
 * How a producer lays a record out in an entry: one entry field per schema field, or all of it in one entry field as JSON or msgpack.
 */
export type StreamFormat = 'fields' | 'json' | 'msgpack';

/** Adds the record of one of the entries to the builder. @throws MR_RECORD_INVALID */
export type EntryDecoder = (entries: StreamEntries, entry: number) => void;

/** @param field the entry field that holds the record, for JSON and msgpack */
export function entryDecoder<Row>(
  builder: BatchBuilder<Row>,
  format: StreamFormat,
  field: string,
): EntryDecoder {
  const { schema } = builder;
  const name = Buffer.from(field);
  const find = (entries: StreamEntries, entry: number): number => {
    const value = entries.find(entry, name);
    if (value < 0) throw noField(schema, field);
    return value;
  };
  switch (format) {
    case 'fields':
      return (entries, entry) => builder.append(fieldsRow(schema, entries.fields(entry)));
    case 'json': {
      const scanner = new JsonScanner(builder);
      return (entries, entry) => {
        const value = find(entries, entry);
        scanner.append(entries.reply.bytes, entries.start(value), entries.end(value));
      };
    }
    case 'msgpack':
      return (entries, entry) => {
        const value = find(entries, entry);
        const bytes = entries.reply.bytes.subarray(entries.start(value), entries.end(value));
        builder.append(parseMsgpackRecord(schema, bytes));
      };
  }
}

/** What dead letters keep of an entry: text where it is text, bytes where not, cut at {@link RAW_BYTES_MAX}. */
export function rawEntry(
  stream: string,
  entries: StreamEntries,
  entry: number,
): { readonly stream: string; readonly id: string } & Readonly<Record<string, unknown>> {
  const id = entries.at(entry) as string;
  const fields = entries.fields(entry);
  let left = RAW_BYTES_MAX;
  const raw = fields.map((bytes) => {
    const kept = bytes.subarray(0, left);
    left -= kept.length;
    return textOrBytes(kept);
  });
  const bytes = fields.reduce((sum, it) => sum + it.length, 0);
  return { stream, id, fields: raw, ...(bytes > RAW_BYTES_MAX ? { truncatedFromBytes: bytes } : {}) };
}

const RAW_BYTES_MAX = 256 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOrBytes(bytes: Buffer): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return new Uint8Array(bytes);
  }
}

function noField(schema: Schema, name: string): MillraceError {
  return new MillraceError(
    'MR_RECORD_INVALID',
    `The entry has no field '${name}' that a record of schema '${schema.name}' could be read from.`,
    { details: { schema: schema.name, field: name } },
  );
}

/**
 * A row from one entry field per schema field. Numbers are written as in JSON; `time` as epoch ms or ISO 8601 with a zone; `bool` as true,
 * false, 1 or 0; `bytes` are the field's own bytes; `obj` is JSON. A missing field is null where that is allowed; the last of a name counts.
 */
function fieldsRow<Row>(schema: Schema<Row>, fields: readonly Buffer[]): Row {
  const given = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2)
    given.set((fields[i] as Buffer).toString(), fields[i + 1] as Buffer);
  const row: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const bytes = given.get(field.name);
    row[field.name] = parseField(schema, field, bytes === undefined ? null : fieldValue(field, bytes));
  }
  return row as Row;
}

/** The value in its JSON form; text that has none is left as it is, for parseField to refuse. */
function fieldValue({ type }: NamedField, bytes: Buffer): unknown {
  if (type === 'bytes') return new Uint8Array(bytes);
  const text = bytes.toString();
  switch (type) {
    case 'f64':
    case 'f32':
    case 'i32':
    case 'time':
      return NUMBER.test(text) ? Number(text) : text;
    case 'bool':
      return BOOLEANS.get(text) ?? text;
    case 'obj':
      return parsed(text);
    case 'i64':
    case 'string':
      return text;
  }
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MillraceError('MR_RECORD_INVALID', `A field of type obj is not JSON: ${errorText(cause)}`, {
      cause,
    });
  }
}
