import { decodeAvroFile, encodeAvroFile } from './avro-file.ts';
import { MANIFEST_FILE_SCHEMA, manifestEntrySchema } from './manifest-schema.ts';
import type { IcebergPartitionSpec, PartitionField } from './partition-spec.ts';
import type { PartitionValue } from './partition-transform.ts';
import { compareValues, singleValue } from './single-value.ts';
import type { IcebergSchema } from './table-schema.ts';

/** A whole number that other engines write with all 63 bits: bigint where a number would round. */
export type Long = number | bigint;

/** One data file with its column metrics, named as in the Avro record. Maps are by field id. */
export interface DataFile {
  readonly content: number;
  readonly file_path: string;
  readonly file_format: string;
  readonly partition: Readonly<Record<string, PartitionValue>>;
  readonly record_count: Long;
  readonly file_size_in_bytes: Long;
  readonly column_sizes?: IntMap<Long> | null;
  readonly value_counts?: IntMap<Long> | null;
  readonly null_value_counts?: IntMap<Long> | null;
  readonly nan_value_counts?: IntMap<Long> | null;
  readonly lower_bounds?: IntMap<Uint8Array> | null;
  readonly upper_bounds?: IntMap<Uint8Array> | null;
  readonly split_offsets?: readonly Long[] | null;
  readonly sort_order_id?: number | null;
}

type IntMap<V> = readonly { readonly key: number; readonly value: V }[];

export const ENTRY_STATUS = { existing: 0, added: 1, deleted: 2 } as const;

/** One line of a manifest. Nulls of an added entry are inherited from the manifest list that names the manifest. */
export interface ManifestEntry {
  readonly status: number;
  readonly snapshot_id: Long | null;
  readonly sequence_number: Long | null;
  readonly file_sequence_number: Long | null;
  readonly data_file: DataFile;
}

/** One line of a manifest list, named as in the Avro record. */
export interface ManifestFile extends ManifestSummary {
  readonly content: number;
  readonly sequence_number: Long;
  readonly min_sequence_number: Long;
  readonly added_snapshot_id: Long;
}

/** What is known of a manifest before any snapshot names it. Plain data: it waits inside a checkpoint. */
export interface ManifestSummary {
  readonly manifest_path: string;
  readonly manifest_length: Long;
  readonly partition_spec_id: number;
  readonly added_files_count: number;
  readonly existing_files_count: number;
  readonly deleted_files_count: number;
  readonly added_rows_count: Long;
  readonly existing_rows_count: Long;
  readonly deleted_rows_count: Long;
  readonly partitions: readonly PartitionSummary[] | null;
}

interface PartitionSummary {
  readonly contains_null: boolean;
  readonly contains_nan?: boolean | null;
  readonly lower_bound?: Uint8Array | null;
  readonly upper_bound?: Uint8Array | null;
}

/** What the files of a manifest have in common. */
export interface ManifestContext {
  readonly schema: IcebergSchema;
  readonly spec: IcebergPartitionSpec;
  readonly fields: readonly PartitionField[];
}

/** Encodes a data manifest; `path` is where the caller will put the bytes. */
export async function encodeManifest(
  path: string,
  entries: readonly ManifestEntry[],
  { schema, spec, fields }: ManifestContext,
): Promise<{ readonly bytes: Uint8Array; readonly summary: ManifestSummary }> {
  const bytes = await encodeAvroFile(manifestEntrySchema(fields), entries, {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': '2',
    content: 'data',
  });
  const count = (status: number) => entries.filter((entry) => entry.status === status);
  const rows = (status: number) =>
    count(status).reduce((sum, entry) => sum + Number(entry.data_file.record_count), 0);
  const { existing, added, deleted } = ENTRY_STATUS;
  const summary = {
    manifest_path: path,
    manifest_length: bytes.length,
    partition_spec_id: spec['spec-id'],
    added_files_count: count(added).length,
    existing_files_count: count(existing).length,
    deleted_files_count: count(deleted).length,
    added_rows_count: rows(added),
    existing_rows_count: rows(existing),
    deleted_rows_count: rows(deleted),
    partitions: fields.map((field) => partitionSummary(field, entries)),
  };
  return { bytes, summary };
}

/** The entries of a manifest with inherited ids and sequence numbers filled in from its line in the list. */
export async function decodeManifest(
  bytes: Uint8Array,
  file: ManifestFile,
): Promise<readonly ManifestEntry[]> {
  const { rows } = await decodeAvroFile(bytes, file.manifest_path);
  return (rows as ManifestEntry[]).map((entry) => ({
    ...entry,
    snapshot_id: entry.snapshot_id ?? file.added_snapshot_id,
    sequence_number: entry.sequence_number ?? file.sequence_number,
    file_sequence_number: entry.file_sequence_number ?? file.sequence_number,
  }));
}

/** Encodes a manifest list. */
export function encodeManifestList(
  files: readonly ManifestFile[],
  snapshot: { readonly id: Long; readonly parent: Long | null; readonly sequenceNumber: Long },
): Promise<Uint8Array> {
  return encodeAvroFile(MANIFEST_FILE_SCHEMA, files, {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parent),
    'sequence-number': String(snapshot.sequenceNumber),
    'format-version': '2',
  });
}

export async function decodeManifestList(bytes: Uint8Array, path: string): Promise<readonly ManifestFile[]> {
  return (await decodeAvroFile(bytes, path)).rows as ManifestFile[];
}

function partitionSummary(field: PartitionField, entries: readonly ManifestEntry[]): PartitionSummary {
  const values = entries.map((entry) => entry.data_file.partition[field.name] ?? null);
  const present = values.filter((value) => value !== null).sort(compareValues);
  const [lowest, highest] = [present[0], present.at(-1)];
  return {
    contains_null: present.length < values.length,
    contains_nan: false,
    lower_bound: lowest === undefined ? null : singleValue(field.resultType, lowest),
    upper_bound: highest === undefined ? null : singleValue(field.resultType, highest),
  };
}
