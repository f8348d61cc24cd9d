import { fieldRefusal, type NamedField, recordInvalid, type Schema } from '#wire';

/**
 * Fields that are computed of a record and its value; the others are the record's own. A field that the record does not have, or not of
 * this type, must be there.
 */
export type DerivedFields<T, V, Out> = {
  readonly [K in keyof Out as K extends keyof T ? (T[K] extends Out[K] ? never : K) : K]: (
    record: T,
    value: V,
  ) => Out[K];
} & { readonly [K in keyof Out]?: (record: T, value: V) => Out[K] };

/** What comes of a record and its value: fields of `schema`, computed or the record's own. */
export interface DerivedSpec {
  readonly schema: Schema;
  readonly derive: ReadonlyMap<string, (record: never, value: unknown) => unknown>;
}

/** The row of one record. @throws MR_RECORD_INVALID when a computed field does not fit */
export function derivedRow({ schema, derive }: DerivedSpec, record: unknown, value: unknown): unknown {
  const row: Record<string, unknown> = {};
  for (let c = 0; c < schema.fields.length; c++) {
    const { name } = schema.fields[c] as NamedField;
    const run = derive.get(name);
    row[name] =
      run === undefined
        ? (record as Readonly<Record<string, unknown>>)[name]
        : checkedField(schema, c, run(record as never, value));
  }
  return row;
}

/** The value of field `c`, null for undefined. @throws MR_RECORD_INVALID when it does not fit */
export function checkedField(schema: Schema, c: number, value: unknown): unknown {
  const field = schema.fields[c] as NamedField;
  if (value === null || value === undefined) {
    if (field.nullable) return null;
    throw recordInvalid(schema, field, value, 'the field is not nullable');
  }
  const why = fieldRefusal(field.type, value);
  if (why !== null) throw recordInvalid(schema, field, value, why);
  return value;
}
