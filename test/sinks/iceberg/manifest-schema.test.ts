import t from 'tap';
import { eventTime, schema, string } from '#wire';
import type { AvroType } from '../../../sinks/iceberg/avro-value.ts';
import { MANIFEST_FILE_SCHEMA, manifestEntrySchema } from '../../../sinks/iceberg/manifest-schema.ts';
import { partitionFields } from '../../../sinks/iceberg/partition-spec.ts';
import { day, identity } from '../../../sinks/iceberg/partition-transform.ts';

/** `id name: type`, a `?` for optional, nested fields indented by dots: what other engines resolve by. */
function outline(type: AvroType, depth = ''): string[] {
  const node = type as Exclude<AvroType, string | readonly AvroType[]>;
  if (typeof type === 'string' || Array.isArray(type)) return [];
  if (node.type === 'array')
    return [
      ...('element-id' in node ? [`${depth}${node['element-id']} element`] : []),
      ...outline(node.items, depth),
    ];
  if (node.type !== 'record') return [];
  return node.fields.flatMap((field) => {
    const optional = Array.isArray(field.type);
    const inner = (optional ? (field.type as readonly AvroType[])[1] : field.type) as AvroType;
    const name = nameOf(inner);
    return [
      `${depth}${field['field-id']} ${field.name}${optional ? '?' : ''}: ${name}`,
      ...outline(inner, `${depth}. `),
    ];
  });
}

await t.test('manifest entries carry the ids and names of the Iceberg spec', async (t) => {
  const fields = partitionFields(
    [day('ts'), identity('tenant')],
    schema('s', { ts: eventTime(1), tenant: string(2) }),
  );
  const map = (id: number, name: string, key: number, value: number, type: string) => [
    `. ${id} ${name}?: array/map`,
    `. . ${key} key: int`,
    `. . ${value} value: ${type}`,
  ];
  t.strictSame(outline(manifestEntrySchema(fields)), [
    '0 status: int',
    '1 snapshot_id?: long',
    '3 sequence_number?: long',
    '4 file_sequence_number?: long',
    '2 data_file: r2',
    '. 134 content: int',
    '. 100 file_path: string',
    '. 101 file_format: string',
    '. 102 partition: r102',
    '. . 1000 ts_day?: int/date',
    '. . 1001 tenant?: string',
    '. 103 record_count: long',
    '. 104 file_size_in_bytes: long',
    ...map(108, 'column_sizes', 117, 118, 'long'),
    ...map(109, 'value_counts', 119, 120, 'long'),
    ...map(110, 'null_value_counts', 121, 122, 'long'),
    ...map(137, 'nan_value_counts', 138, 139, 'long'),
    ...map(125, 'lower_bounds', 126, 127, 'bytes'),
    ...map(128, 'upper_bounds', 129, 130, 'bytes'),
    '. 131 key_metadata?: bytes',
    '. 132 split_offsets?: array/',
    '. . 133 element',
    '. 135 equality_ids?: array/',
    '. . 136 element',
    '. 140 sort_order_id?: int',
    '. 143 referenced_data_file?: string',
  ]);
});

await t.test('manifest lists carry the ids and names of the Iceberg spec', async (t) => {
  t.strictSame(outline(MANIFEST_FILE_SCHEMA), [
    '500 manifest_path: string',
    '501 manifest_length: long',
    '502 partition_spec_id: int',
    '517 content: int',
    '515 sequence_number: long',
    '516 min_sequence_number: long',
    '503 added_snapshot_id: long',
    '504 added_files_count: int',
    '505 existing_files_count: int',
    '506 deleted_files_count: int',
    '512 added_rows_count: long',
    '513 existing_rows_count: long',
    '514 deleted_rows_count: long',
    '507 partitions?: array/',
    '. 508 element',
    '. 509 contains_null: boolean',
    '. 518 contains_nan?: boolean',
    '. 510 lower_bound?: bytes',
    '. 511 upper_bound?: bytes',
    '519 key_metadata?: bytes',
  ]);
});

function nameOf(type: AvroType): string {
  if (typeof type === 'string') return type;
  const { type: kind, name, logicalType } = type as { type: string; name?: string; logicalType?: string };
  return name ?? `${kind}/${logicalType ?? ''}`;
}
