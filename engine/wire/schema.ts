import { createHash } from 'node:crypto';
import type { Brand } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** First 8 bytes of the SHA-256 of a schema's canonical text, as 16 hex digits. Equal content, equal id, anywhere. */
export type SchemaId = Brand<string, 'SchemaId'>;

/**
 * What a column holds. `time` is epoch ms as f64; `i64` is a bigint in rows; `obj` is any msgpack-able value.
 * Numbers are f64 unless declared otherwise, and nothing narrows silently.
 */
export type FieldType = 'f64' | 'f32' | 'i32' | 'i64' | 'bool' | 'time' | 'string' | 'bytes' | 'obj';

/** One column. `V` is the type of its values in rows (phantom). */
export interface Field<out V = unknown> {
  /** Stable number of the field inside its schema, 1 … 65 535, never reused. */
  readonly id: number;
  readonly type: FieldType;
  readonly nullable: boolean;
  readonly eventTime: boolean;
  readonly value?: V;
}

export type Fields = Readonly<Record<string, Field>>;

/** The plain row that a schema describes. */
export type RowOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer V> ? V : never };

/** A named, ordered set of columns: a stream's codec and its type witness. `Row` is phantom. */
export interface Schema<out Row = unknown> {
  readonly name: string;
  readonly id: SchemaId;
  /** In declared order; this is also the column order of a {@link Batch}. */
  readonly fields: readonly NamedField[];
  /** Index of the event-time column in {@link fields}. */
  readonly timeIndex: number;
  readonly row?: Row;
}

export interface NamedField extends Field {
  readonly name: string;
}

/** The row type of a schema: `type Reading = Infer<typeof Reading>`. */
export type Infer<S> = S extends Schema<infer Row> ? Row : never;

/**
 * Declares a schema. Field ids are stable; exactly one field is the event time.
 * @example
 * const Reading = schema('reading', { ts: eventTime(1), deviceId: string(2), temperature: f64(3), note: nullable(string(4)) });
 * @throws MR_SCHEMA_INVALID when ids repeat, no or two fields are the event time, or a bound is passed.
 */
export function schema<const F extends Fields>(name: string, fields: F): Schema<RowOf<F>> {
  return schemaOf(
    name,
    Object.entries(fields).map(([fieldName, field]) => ({ ...field, name: fieldName })),
  ) as Schema<RowOf<F>>;
}

/** The same from data, for schemas that arrive from a registry. */
export function schemaOf(name: string, fields: readonly NamedField[]): Schema {
  const fail = (why: string) => {
    throw new MillraceError('MR_SCHEMA_INVALID', `Schema '${name}': ${why}.`);
  };
  if (name === '' || name.length > LIMITS.nameLengthMax) fail('its name must have 1 to 128 characters');
  if (fields.length > LIMITS.schemaFieldsMax)
    fail(`it has ${fields.length} fields, at most ${LIMITS.schemaFieldsMax} are allowed`);
  const ids = new Set<number>();
  const names = new Set<string>();
  for (const field of fields) {
    if (!Number.isInteger(field.id) || field.id < 1 || field.id > 65_535)
      fail(`field '${field.name}' has id ${field.id}, not 1 … 65535`);
    if (ids.has(field.id)) fail(`field id ${field.id} is used twice`);
    if (field.name === '__proto__') fail("a field cannot be named '__proto__'");
    if (names.has(field.name)) fail(`field '${field.name}' is declared twice`);
    if (field.name === '' || field.name.length > LIMITS.nameLengthMax)
      fail(`field name '${field.name}' must have 1 to 128 characters`);
    if (!FIELD_TYPES.includes(field.type))
      fail(`field '${field.name}' has the unknown type '${String(field.type)}'`);
    ids.add(field.id);
    names.add(field.name);
  }
  const timeIndex = fields.findIndex((field) => field.eventTime);
  if (timeIndex < 0 || fields.filter((field) => field.eventTime).length > 1)
    fail('exactly one field must be eventTime(…)');
  const time = fields[timeIndex] as NamedField;
  if (time.type !== 'time' || time.nullable) fail(`its event time '${time.name}' must be a non-null time`);
  const frozen = fields.map(({ name: fieldName, id, type, nullable: isNull, eventTime: isTime }) =>
    Object.freeze({ name: fieldName, id, type, nullable: isNull, eventTime: isTime }),
  );
  return Object.freeze({ name, id: contentId(name, frozen), fields: Object.freeze(frozen), timeIndex });
}

/** Canonical JSON of a schema, as kept in registries and hashed into its id. */
export function schemaText(value: Pick<Schema, 'name' | 'fields'>): string {
  const fields = value.fields.map((f) => [f.id, f.name, f.type, f.nullable ? 1 : 0, f.eventTime ? 1 : 0]);
  return JSON.stringify({ name: value.name, fields });
}

/**
 * Reads {@link schemaText} back.
 * @throws MR_SCHEMA_INVALID when the text is not a schema.
 */
export function parseSchemaText(text: string): Schema {
  try {
    const { name, fields } = JSON.parse(text) as {
      name: string;
      fields: [number, string, FieldType, number, number][];
    };
    return schemaOf(
      String(name),
      fields.map(([id, fieldName, type, isNull, isTime]) => ({
        id,
        name: String(fieldName),
        type,
        nullable: isNull === 1,
        eventTime: isTime === 1,
      })),
    );
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('MR_SCHEMA_INVALID', 'The stored schema text cannot be read.', { cause });
  }
}

/** Epoch ms; the record's place in event time. Exactly one per schema. */
export const eventTime = (id: number): Field<number> => ({
  id,
  type: 'time',
  nullable: false,
  eventTime: true,
});
/** Epoch ms. */
export const time = (id: number): Field<number> => field(id, 'time');
export const f64 = (id: number): Field<number> => field(id, 'f64');
export const f32 = (id: number): Field<number> => field(id, 'f32');
/** Whole numbers −2³¹ … 2³¹−1; anything else is refused, not rounded. */
export const i32 = (id: number): Field<number> => field(id, 'i32');
/** 64-bit whole numbers, bigint in rows. */
export const i64 = (id: number): Field<bigint> => field(id, 'i64');
export const bool = (id: number): Field<boolean> => field(id, 'bool');
export const string = (id: number): Field<string> => field(id, 'string');
export const bytes = (id: number): Field<Uint8Array> => field(id, 'bytes');
/** Any value msgpack can carry; `T` is trusted, not checked. */
export const obj = <T>(id: number): Field<T> => field(id, 'obj');
/** The same field, with null allowed. */
export const nullable = <V>(inner: Field<V>): Field<V | null> => ({
  id: inner.id,
  type: inner.type,
  nullable: true,
  eventTime: inner.eventTime,
});

const FIELD_TYPES: readonly FieldType[] = [
  'f64',
  'f32',
  'i32',
  'i64',
  'bool',
  'time',
  'string',
  'bytes',
  'obj',
];

function field<V>(id: number, type: FieldType): Field<V> {
  return { id, type, nullable: false, eventTime: false };
}

function contentId(name: string, fields: readonly NamedField[]): SchemaId {
  return createHash('sha256').update(schemaText({ name, fields })).digest('hex').slice(0, 16) as SchemaId;
}
