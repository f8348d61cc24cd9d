import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { BatchBuilder } from './batch-builder.ts';
import type { GenerationOptions } from './code-generation.ts';
import { type ColumnStore, StringStore } from './column-store.ts';
import { refusal } from './field-check.ts';
import { generateJsonScan } from './json-scanner-code.ts';
import { JsonCursor, QUOTE } from './json-scanner-cursor.ts';
import { JsonNames, UNKNOWN_FIELD, UNUSUAL_KEY } from './json-scanner-names.ts';
import { type JsonText, JsonTexts } from './json-scanner-texts.ts';
import { parseField, parseJsonRecord } from './record-parser.ts';
import type { NamedField, Schema } from './schema.ts';

/**
 * JSON bytes → columns, without the objects in between. A record in plain form (keys in any order, unknown ones included; numbers
 * of up to 53 bits without exponent; strings without escapes) goes straight to a builder's columns; single values of another form go through
 * JSON.parse, and whole records where that is not enough.
 *
 * JS1 accepts and refuses exactly what {@link parseJsonRecord} followed by {@link BatchBuilder.append} does, with the same values and the
 *     same errors.
 * JS2 nothing of a record is written before all of it is known to be sound, so that a refused one leaves no trace.
 */
export class JsonScanner<Row> {
  readonly #builder: BatchBuilder<Row>;
  readonly #cursor = new JsonCursor();
  readonly #scan: JsonScan;

  /** @param builder where records go; finish it as usual */
  constructor(builder: BatchBuilder<Row>, options: GenerationOptions = {}) {
    this.#builder = builder;
    const { schema, stores } = builder;
    const parts: JsonScanParts = {
      stores,
      texts: stores.map((store) => (store instanceof StringStore ? new JsonTexts(store.dictionary) : null)),
      names: new JsonNames(schema),
      fieldValue: (f) => fieldValue(schema, schema.fields[f] as NamedField, this.#cursor),
      order: new Int16Array(ORDER_KEYS_MAX).fill(UNKNOWN_FIELD),
    };
    const generated = options.codeGeneration === 'never' ? null : generateJsonScan(schema, parts);
    this.#scan = generated ?? interpretedScan(schema, parts);
  }

  /**
   * Adds the record of one JSON object, which lies from `start` to `end` of the bytes.
   * @throws MR_RECORD_INVALID when it is none, or does not fit the schema; MR_FRAME_TOO_LARGE as {@link BatchBuilder.append} does
   */
  append(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.#append(asBuffer(bytes), start, end);
  }

  /**
   * Adds the records of NDJSON lines, up to the last whole one or to `recordsMax` records in the builder. Empty lines count for nothing.
   * @param refuse called with MR_RECORD_INVALID and the line (a view) that it is about; the others go on
   * @returns bytes used up; what follows is an unfinished line, or waits for room
   */
  appendLines(
    bytes: Uint8Array,
    refuse: (error: MillraceError, line: Uint8Array) => void,
    recordsMax: number = LIMITS.frameRecordsMax,
  ): number {
    const buffer = asBuffer(bytes);
    let start = 0;
    while (this.#builder.count < recordsMax) {
      const end = buffer.indexOf(NEWLINE, start);
      if (end < 0) break;
      if (!blank(buffer, start, end)) {
        try {
          this.#append(buffer, start, end);
        } catch (error) {
          if (!(error instanceof MillraceError) || error.code !== 'MR_RECORD_INVALID') throw error;
          refuse(error, buffer.subarray(start, end));
        }
      }
      start = end + 1;
    }
    return start;
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const cursor = this.#cursor;
    cursor.bytes = buffer;
    cursor.at = start;
    cursor.end = end;
    const scanned = this.#scan(cursor, this.#builder.next());
    cursor.bytes = NONE;
    if (scanned) this.#builder.added();
    else this.#builder.append(parseJsonRecord(this.#builder.schema, buffer.toString('utf8', start, end)));
  }
}

/** Reads one object at the cursor into index `i` of the stores; false, and nothing written, when it is not in plain form. */
export type JsonScan = (cursor: JsonCursor, i: number) => boolean;

/** What a scan works with. */
export interface JsonScanParts {
  readonly stores: readonly ColumnStore[];
  /** Per field; null where it holds no strings. */
  readonly texts: readonly (JsonTexts | null)[];
  readonly names: JsonNames;
  /** A value of field `f` by JSON.parse; undefined when it is none, or is refused. */
  readonly fieldValue: (f: number) => unknown;
  /** Field by place in the object, as it was last time; what to try first. */
  readonly order: Int16Array;
}

/** Keys of one object whose order is remembered. */
const ORDER_KEYS_MAX = 1_024;
const NEWLINE = 0x0a;
const NONE = Buffer.alloc(0);

function fieldValue(schema: Schema, field: NamedField, cursor: JsonCursor): unknown {
  const given = cursor.unusual();
  if (given === undefined) return undefined;
  try {
    return parseField(schema, field, given);
  } catch {
    return undefined; // the whole record is parsed anew, and says what is wrong
  }
}

/** Same as the generated scan, with its values in an array. */
function interpretedScan({ fields }: Schema, parts: JsonScanParts): JsonScan {
  const { stores, names, texts } = parts;
  const values = new Array<unknown>(fields.length);
  const readFields = (cursor: JsonCursor): boolean => {
    if (cursor.space() !== 0x7b) return false;
    cursor.at++;
    let c = cursor.space();
    if (c === 0x7d) {
      cursor.at++;
      return cursor.ended();
    }
    for (;;) {
      if (c !== QUOTE) return false;
      const f = names.find(cursor);
      if (f === UNUSUAL_KEY || cursor.space() !== 0x3a) return false;
      cursor.at++;
      cursor.space();
      if (f === UNKNOWN_FIELD) {
        if (!cursor.skip()) return false;
      } else {
        if (values[f] !== undefined) return false;
        values[f] = plainValue(fields[f] as NamedField, f, cursor, parts);
        if (values[f] === undefined) return false;
      }
      c = cursor.space();
      cursor.at++;
      if (c === 0x2c) c = cursor.space();
      else return c === 0x7d && cursor.ended();
    }
  };
  return (cursor, i) => {
    values.fill(undefined);
    if (!readFields(cursor)) return false;
    for (let f = 0; f < fields.length; f++)
      if (values[f] === undefined && !(fields[f] as NamedField).nullable) return false;
    for (let f = 0; f < fields.length; f++) {
      const store = stores[f] as ColumnStore;
      const value = values[f] ?? null;
      if (value === null) store.setNull(i);
      else if (store instanceof StringStore)
        store.values[i] = (texts[f] as JsonTexts).code(value as JsonText);
      else store.set(i, value);
    }
    return true;
  };
}

/** A field's value, null where that is allowed, or undefined. Numbers and strings in plain form need no JSON.parse. */
function plainValue(
  { type }: NamedField,
  f: number,
  cursor: JsonCursor,
  { texts, fieldValue: parse }: JsonScanParts,
): unknown {
  if (type === 'f64' || type === 'f32' || type === 'time' || type === 'i32') {
    const number = cursor.number();
    if (!Number.isNaN(number)) return refusal(type, number) === null ? number : undefined;
  }
  if (type === 'string') return cursor.text(texts[f] as JsonTexts) ?? parse(f);
  return parse(f);
}

function blank(buffer: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) {
    const c = buffer[p];
    if (c !== 0x20 && c !== 0x0d && c !== 0x09) return false;
  }
  return true;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
