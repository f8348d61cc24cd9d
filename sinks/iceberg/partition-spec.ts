import { MillraceError } from '#engine';
import type { Schema } from '#wire';
import {
  type PartitionTransform,
  type PartitionValue,
  partitionName,
  partitionText,
  resultType,
  transformText,
} from './partition-transform.ts';
import { ICEBERG_TYPE, type IcebergType } from './table-schema.ts';

/** A partition spec as it stands in table metadata. Field ids start at 1000. */
export interface IcebergPartitionSpec {
  readonly 'spec-id': number;
  readonly fields: readonly IcebergPartitionField[];
}

interface IcebergPartitionField {
  readonly 'source-id': number;
  readonly 'field-id': number;
  readonly name: string;
  readonly transform: string;
}

/** One field of a spec bound to a row schema. */
export interface PartitionField {
  readonly id: number;
  readonly name: string;
  readonly transform: PartitionTransform;
  /** Index of the source column in the row schema. */
  readonly column: number;
  readonly sourceType: IcebergType;
  readonly resultType: IcebergType;
}

/** One value per field of the spec, in its order. */
export type PartitionTuple = readonly PartitionValue[];

/** The first field id that the spec allows for partition fields. */
const FIRST_FIELD_ID = 1000;
/** File systems end at 255 bytes per name; paths are for people only, so long values are cut. */
const PATH_VALUE_LENGTH_MAX = 100;

/**
 * Binds transforms to a schema.
 * @throws MR_CONFIG_INVALID for an unknown column, a repeated field or a transform that does not fit its column.
 */
export function partitionFields(
  transforms: readonly PartitionTransform[],
  schema: Schema,
): readonly PartitionField[] {
  const names = new Set<string>();
  return transforms.map((transform, index) => {
    const column = schema.fields.findIndex(({ name }) => name === transform.field);
    const source = schema.fields[column];
    const name = partitionName(transform);
    const fail = (why: string) => {
      throw new MillraceError(
        'MR_CONFIG_INVALID',
        `Partition ${transformText(transform)} of '${transform.field}': ${why}.`,
      );
    };
    if (source === undefined) return fail(`schema '${schema.name}' has no such field`);
    if (names.has(name)) return fail(`the name '${name}' is taken by another partition field`);
    if (transform.kind !== 'identity' && schema.fields.some((field) => field.name === name))
      fail(`the schema has a field named '${name}'`);
    names.add(name);
    const sourceType = ICEBERG_TYPE[source.type];
    if (source.type === 'obj') return fail('an obj field cannot be partitioned by');
    return {
      id: FIRST_FIELD_ID + index,
      name,
      transform,
      column,
      sourceType,
      resultType: resultType(transform, sourceType),
    };
  });
}

/** The spec that table metadata keeps. */
export function partitionSpec(fields: readonly PartitionField[], schema: Schema): IcebergPartitionSpec {
  return {
    'spec-id': 0,
    fields: fields.map((field) => ({
      'source-id': schema.fields[field.column]?.id ?? 0,
      'field-id': field.id,
      name: field.name,
      transform: transformText(field.transform),
    })),
  };
}

/** What differs between two specs, in words, or null when they split rows the same way. */
export function specDifference(existing: IcebergPartitionSpec, wanted: IcebergPartitionSpec): string | null {
  const text = ({ fields }: IcebergPartitionSpec) =>
    fields.map((field) => `${field.transform}(field ${field['source-id']}) as ${field.name}`).join(', ') ||
    'unpartitioned';
  const [have, want] = [text(existing), text(wanted)];
  return have === want ? null : `the table is partitioned by ${have} and the job by ${want}`;
}

/** `ts_day=2026-11-05/tenant=acme`; empty for an unpartitioned table. */
export function partitionPath(fields: readonly PartitionField[], tuple: PartitionTuple): string {
  return fields
    .map(({ name, transform }, i) => {
      const value = encodeURIComponent(partitionText(transform, tuple[i] ?? null).toWellFormed());
      return `${encodeURIComponent(name)}=${value.slice(0, PATH_VALUE_LENGTH_MAX)}`;
    })
    .join('/');
}
