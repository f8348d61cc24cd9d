import type { FieldType, Schema } from '#wire';

/** The Iceberg types that a Millrace schema maps to, and what partition transforms give. */
export type IcebergType =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'timestamptz'
  | 'string'
  | 'binary';

interface IcebergField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: IcebergType;
}

/** A schema as it stands in table metadata (Iceberg spec, appendix C). */
export interface IcebergSchema {
  readonly type: 'struct';
  readonly 'schema-id': number;
  readonly fields: readonly IcebergField[];
}

/**
 * The Iceberg type of each field type. `time` is epoch ms in rows and microseconds in the table. `obj` is stored as the
 * text of its JSON: v2 has no variant type, and a struct would need a declared shape.
 */
export const ICEBERG_TYPE: Readonly<Record<FieldType, IcebergType>> = {
  f64: 'double',
  f32: 'float',
  i32: 'int',
  i64: 'long',
  bool: 'boolean',
  time: 'timestamptz',
  string: 'string',
  bytes: 'binary',
  obj: 'string',
};

/** The table schema of a row schema: the same field ids, names and order; nullable becomes optional. */
export function icebergSchema(schema: Schema): IcebergSchema {
  return {
    type: 'struct',
    'schema-id': 0,
    fields: schema.fields.map(({ id, name, type, nullable }) => ({
      id,
      name,
      required: !nullable,
      type: ICEBERG_TYPE[type],
    })),
  };
}

/** What differs between two schemas, in words, or null when a writer of `wanted` may append to `existing`. */
export function schemaDifference(existing: IcebergSchema, wanted: IcebergSchema): string | null {
  for (const field of wanted.fields) {
    const other = existing.fields.find(({ id }) => id === field.id);
    if (other === undefined) return `field ${field.id} '${field.name}' is not in the table`;
    const [have, want] = [fieldText(other), fieldText(field)];
    if (have !== want) return `field ${field.id} is ${have} in the table and ${want} in the job`;
  }
  const extra = existing.fields.find(({ id }) => !wanted.fields.some((field) => field.id === id));
  return extra === undefined
    ? null
    : `the table has field ${extra.id} ${fieldText(extra)}, which the job does not write`;
}

function fieldText(field: IcebergField): string {
  const type = typeof field.type === 'string' ? field.type : JSON.stringify(field.type);
  return `'${field.name}' ${field.required ? 'required' : 'optional'} ${type}`;
}
