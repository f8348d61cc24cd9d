import { MillraceError } from '../base/errors.ts';
import { recordInvalid, refusal, valueText } from './field-check.ts';
import type { FieldType, NamedField, Schema } from './schema.ts';

/** Turns an untrusted value into a row. @throws MR_RECORD_INVALID naming field and value */
export type RecordParser<Row> = (value: unknown) => Row;

/**
 * Makes the parser of a schema for records from outside, such as parsed JSON. Every field is checked; fields that the
 * schema does not know are ignored; a missing one is null where that is allowed. Beyond the row's own types it takes
 *
 *  - `time`: epoch ms, or ISO 8601 text with a zone (`2026-01-31T12:00:00.250+01:00`), to the millisecond
 *  - `i64`: safe integers and decimal text, because JSON numbers end at 2^53
 *  - `bytes`: base64 text, padded
 */
export function recordParser<Row>(schema: Schema<Row>): RecordParser<Row> {
  const { fields } = schema;
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MillraceError(
        'MR_RECORD_INVALID',
        `A record of schema '${schema.name}' must be an object, got ${valueText(value)}.`,
        {
          details: { schema: schema.name, value: valueText(value) },
        },
      );
    }
    const row: Record<string, unknown> = {};
    for (const field of fields) {
      const given = Object.hasOwn(value, field.name)
        ? (value as Record<string, unknown>)[field.name]
        : undefined;
      row[field.name] = parseField(schema, field, given);
    }
    return row as Row;
  };
}

/**
 * A row from one line of JSON.
 * @throws MR_RECORD_INVALID for text that is not JSON too
 */
export function parseJsonRecord<Row>(schema: Schema<Row>, line: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new MillraceError(
      'MR_RECORD_INVALID',
      `A record of schema '${schema.name}' is not JSON: ${valueText(line)}.`,
      {
        cause,
        details: { schema: schema.name, value: valueText(line) },
      },
    );
  }
  return parserOf(schema)(value);
}

const parsers = new WeakMap<Schema, RecordParser<unknown>>();

function parserOf<Row>(schema: Schema<Row>): RecordParser<Row> {
  let parser = parsers.get(schema);
  if (parser === undefined) {
    parser = recordParser(schema);
    parsers.set(schema, parser);
  }
  return parser as RecordParser<Row>;
}

/** One field's value in the row's type from what came from outside, as in {@link recordParser}. @throws MR_RECORD_INVALID */
export function parseField(schema: Schema, field: NamedField, given: unknown): unknown {
  if (given === undefined || given === null) {
    if (field.nullable) return null;
    throw recordInvalid(schema, field, given, 'the field is not nullable');
  }
  const value = converted(field.type, given);
  if (value === undefined)
    throw recordInvalid(schema, field, given, FORMS[field.type] ?? 'it has no known form');
  const why = refusal(field.type, value);
  if (why !== null) throw recordInvalid(schema, field, given, why);
  return value;
}

/** What is asked for where {@link converted} gives up. */
const FORMS: Partial<Record<FieldType, string>> = {
  time: 'it must be epoch ms or ISO 8601 text with a zone',
  i64: 'it must be a safe integer, decimal text of at most 64 bits, or a bigint',
  bytes: 'it must be padded base64 text',
};

/** The value in the row's type, or undefined when its form is wrong. */
function converted(type: FieldType, given: unknown): unknown {
  switch (type) {
    case 'time':
      return typeof given === 'string' ? isoTime(given) : given;
    case 'i64':
      if (typeof given === 'number') return Number.isSafeInteger(given) ? BigInt(given) : undefined;
      if (typeof given === 'string') return DECIMAL.test(given) ? BigInt(given) : undefined;
      return given;
    case 'bytes':
      if (typeof given === 'string')
        return BASE64.test(given) ? new Uint8Array(Buffer.from(given, 'base64')) : undefined;
      return given;
    default:
      return given;
  }
}

/** Twenty characters hold every 64-bit number; longer text is refused before it is turned into a bigint. */
const DECIMAL = /^-?\d{1,19}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ISO_TIME = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Epoch ms, or undefined. Date.parse rolls 30 February over into March, so days are checked here. */
function isoTime(text: string): number | undefined {
  const match = ISO_TIME.exec(text);
  if (match === null) return undefined;
  const daysInMonth = new Date(Date.UTC(2000, Number(match[2]), 0)).getUTCDate();
  const day = Number(match[3]);
  if (day > daysInMonth || (day === 29 && match[2] === '02' && !isLeapYear(Number(match[1]))))
    return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}
