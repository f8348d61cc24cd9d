import type { DataFile } from './manifest.ts';
import type { ParquetFileResult } from './parquet-thread.ts';
import type { PartitionField, PartitionTuple } from './partition-spec.ts';
import { lowerBound, upperBound } from './single-value.ts';
import type { IcebergSchema } from './table-schema.ts';

/** The manifest's account of a finished Parquet file. */
export function dataFile(
  location: string,
  result: ParquetFileResult,
  schema: IcebergSchema,
  fields: readonly PartitionField[],
  tuple: PartitionTuple,
): DataFile {
  const columns = schema.fields.flatMap((field, i) => {
    const metrics = result.columns[i];
    return metrics === undefined ? [] : [{ ...field, ...metrics }];
  });
  return {
    content: 0,
    file_path: location,
    file_format: 'PARQUET',
    partition: Object.fromEntries(fields.map(({ name }, i) => [name, tuple[i] ?? null])),
    record_count: result.rows,
    file_size_in_bytes: result.bytes,
    column_sizes: columns.map(({ id, bytes }) => ({ key: id, value: bytes })),
    value_counts: columns.map(({ id, values }) => ({ key: id, value: values })),
    null_value_counts: columns.map(({ id, nulls }) => ({ key: id, value: nulls })),
    nan_value_counts: columns
      .filter(({ type }) => type === 'double' || type === 'float')
      .map(({ id, nans }) => ({ key: id, value: nans })),
    lower_bounds: columns.flatMap(({ id, type, min }) =>
      min === undefined ? [] : [{ key: id, value: lowerBound(type, min) }],
    ),
    upper_bounds: columns.flatMap(({ id, type, max }) => {
      const bound = max === undefined ? null : upperBound(type, max);
      return bound === null ? [] : [{ key: id, value: bound }];
    }),
    split_offsets: result.splitOffsets,
    sort_order_id: 0,
  };
}
