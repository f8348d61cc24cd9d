import type { AvroField, AvroRecord, AvroType } from './avro-value.ts';
import type { PartitionField } from './partition-spec.ts';
import type { IcebergType } from './table-schema.ts';

/*
 * The Avro schemas of Iceberg v2 manifests and manifest lists (Iceberg spec, "Manifests" and "Manifest Lists"): readers
 * resolve by `field-id`, several of them also by these names.
 */

/** `manifest_entry`, whose `partition` record depends on the table's partition spec. */
export function manifestEntrySchema(fields: readonly PartitionField[]): AvroRecord {
  const partition: AvroRecord = {
    type: 'record',
    name: 'r102',
    fields: fields.map((field) => optional(field.id, field.name, avroType(field.resultType))),
  };
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      required(2, 'data_file', { type: 'record', name: 'r2', fields: dataFileFields(partition) }),
    ],
  };
}

/** `manifest_file`, the row of a manifest list. */
export const MANIFEST_FILE_SCHEMA: AvroRecord = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
    required(503, 'added_snapshot_id', 'long'),
    required(504, 'added_files_count', 'int'),
    required(505, 'existing_files_count', 'int'),
    required(506, 'deleted_files_count', 'int'),
    required(512, 'added_rows_count', 'long'),
    required(513, 'existing_rows_count', 'long'),
    required(514, 'deleted_rows_count', 'long'),
    list(507, 'partitions', 508, {
      type: 'record',
      name: 'r508',
      fields: [
        required(509, 'contains_null', 'boolean'),
        optional(518, 'contains_nan', 'boolean'),
        optional(510, 'lower_bound', 'bytes'),
        optional(511, 'upper_bound', 'bytes'),
      ],
    }),
    optional(519, 'key_metadata', 'bytes'),
  ],
};

function dataFileFields(partition: AvroRecord): readonly AvroField[] {
  return [
    required(134, 'content', 'int'),
    required(100, 'file_path', 'string'),
    required(101, 'file_format', 'string'),
    required(102, 'partition', partition),
    required(103, 'record_count', 'long'),
    required(104, 'file_size_in_bytes', 'long'),
    intMap(108, 'column_sizes', 117, 118, 'long'),
    intMap(109, 'value_counts', 119, 120, 'long'),
    intMap(110, 'null_value_counts', 121, 122, 'long'),
    intMap(137, 'nan_value_counts', 138, 139, 'long'),
    intMap(125, 'lower_bounds', 126, 127, 'bytes'),
    intMap(128, 'upper_bounds', 129, 130, 'bytes'),
    optional(131, 'key_metadata', 'bytes'),
    list(132, 'split_offsets', 133, 'long'),
    list(135, 'equality_ids', 136, 'int'),
    optional(140, 'sort_order_id', 'int'),
    optional(143, 'referenced_data_file', 'string'),
  ];
}

function required(id: number, name: string, type: AvroType): AvroField {
  return { name, type, 'field-id': id };
}

function optional(id: number, name: string, type: AvroType): AvroField {
  return { name, type: ['null', type], default: null, 'field-id': id };
}

function list(id: number, name: string, elementId: number, items: AvroType): AvroField {
  return optional(id, name, { type: 'array', items, 'element-id': elementId });
}

/** Avro maps have string keys only; Iceberg writes a map by int as an array of key-value records. */
function intMap(id: number, name: string, keyId: number, valueId: number, value: AvroType): AvroField {
  const entry: AvroRecord = {
    type: 'record',
    name: `k${keyId}_v${valueId}`,
    fields: [required(keyId, 'key', 'int'), required(valueId, 'value', value)],
  };
  return optional(id, name, { type: 'array', logicalType: 'map', items: entry });
}

function avroType(type: IcebergType): AvroType {
  switch (type) {
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true };
    case 'binary':
      return 'bytes';
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return type;
  }
}
