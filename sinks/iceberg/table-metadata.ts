import { invariant } from '#engine';
import type { Long } from './manifest.ts';
import type { IcebergPartitionSpec } from './partition-spec.ts';
import type { IcebergSchema } from './table-schema.ts';

/** Table metadata of format v2 (Iceberg spec, "Table Metadata Fields"). Fields unknown to us ride along untouched. */
export interface TableMetadata {
  readonly 'format-version': number;
  readonly 'table-uuid': string;
  readonly location: string;
  readonly 'last-sequence-number': number;
  readonly 'last-updated-ms': number;
  readonly 'last-column-id': number;
  readonly schemas: readonly IcebergSchema[];
  readonly 'current-schema-id': number;
  readonly 'partition-specs': readonly IcebergPartitionSpec[];
  readonly 'default-spec-id': number;
  readonly 'last-partition-id': number;
  readonly 'sort-orders': readonly { readonly 'order-id': number; readonly fields: readonly unknown[] }[];
  readonly 'default-sort-order-id': number;
  readonly properties?: Readonly<Record<string, string>>;
  readonly 'current-snapshot-id'?: Long | null;
  readonly refs?: Readonly<Record<string, SnapshotRef>>;
  readonly snapshots?: readonly Snapshot[];
  readonly 'snapshot-log'?: readonly { readonly 'timestamp-ms': number; readonly 'snapshot-id': Long }[];
  readonly 'metadata-log'?: readonly MetadataLogEntry[];
}

export interface Snapshot {
  readonly 'snapshot-id': Long;
  readonly 'parent-snapshot-id'?: Long | null;
  readonly 'sequence-number': number;
  readonly 'timestamp-ms': number;
  readonly 'manifest-list': string;
  readonly summary: Readonly<Record<string, string>>;
  readonly 'schema-id'?: number;
}

export interface SnapshotRef {
  readonly 'snapshot-id': Long;
  readonly type: 'branch' | 'tag';
  readonly 'min-snapshots-to-keep'?: number;
  readonly 'max-snapshot-age-ms'?: number;
  readonly 'max-ref-age-ms'?: number;
}

interface MetadataLogEntry {
  readonly 'timestamp-ms': number;
  readonly 'metadata-file': string;
}

/** One change of a table, as Iceberg's REST protocol names it: the one currency of every kind of catalog. */
export type TableUpdate =
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  | { readonly action: 'set-snapshot-ref'; readonly name: string; readonly ref: SnapshotRef }
  | { readonly action: 'remove-snapshots'; readonly ids: readonly Long[] }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> };

/** What must hold of the table that a change is applied to. */
export type TableRequirement =
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly snapshotId: Long | null };

/** Metadata of a new, empty table. */
export function newTableMetadata(table: {
  readonly uuid: string;
  readonly location: string;
  readonly schema: IcebergSchema;
  readonly spec: IcebergPartitionSpec;
  readonly properties: Readonly<Record<string, string>>;
  readonly nowMs: number;
}): TableMetadata {
  return {
    'format-version': 2,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    'last-updated-ms': table.nowMs,
    'last-column-id': Math.max(0, ...table.schema.fields.map(({ id }) => id)),
    schemas: [table.schema],
    'current-schema-id': table.schema['schema-id'],
    'partition-specs': [table.spec],
    'default-spec-id': table.spec['spec-id'],
    'last-partition-id': Math.max(999, ...table.spec.fields.map((field) => field['field-id'])),
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    'default-sort-order-id': 0,
    properties: table.properties,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  };
}

/** The first requirement that does not hold, in words, or null. */
export function brokenRequirement(
  base: TableMetadata,
  requirements: readonly TableRequirement[],
): string | null {
  for (const requirement of requirements) {
    switch (requirement.type) {
      case 'assert-table-uuid':
        if (base['table-uuid'] !== requirement.uuid)
          return `the table is ${base['table-uuid']}, not ${requirement.uuid}`;
        break;
      case 'assert-ref-snapshot-id': {
        const id = base.refs?.[requirement.ref]?.['snapshot-id'] ?? null;
        if (!sameId(id, requirement.snapshotId))
          return `'${requirement.ref}' is at ${id}, not ${requirement.snapshotId}`;
      }
    }
  }
  return null;
}

/** Applies updates in order. Pure. */
export function applyUpdates(base: TableMetadata, updates: readonly TableUpdate[]): TableMetadata {
  return updates.reduce(applyUpdate, base);
}

function sameId(a: Long | null | undefined, b: Long | null | undefined): boolean {
  return String(a ?? null) === String(b ?? null);
}

/** The snapshot with an id, or undefined when it is not (or no longer) there. */
export function snapshotById(metadata: TableMetadata, id: Long | null | undefined): Snapshot | undefined {
  return id === null || id === undefined
    ? undefined
    : metadata.snapshots?.find((it) => sameId(it['snapshot-id'], id));
}

/** The snapshot that `main` points to. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  return snapshotById(metadata, metadata.refs?.['main']?.['snapshot-id'] ?? metadata['current-snapshot-id']);
}

function applyUpdate(base: TableMetadata, update: TableUpdate): TableMetadata {
  switch (update.action) {
    case 'add-snapshot': {
      const { snapshot } = update;
      invariant(snapshotById(base, snapshot['snapshot-id']) === undefined, 'a snapshot id is new');
      invariant(snapshot['sequence-number'] > base['last-sequence-number'], 'sequence numbers rise');
      return {
        ...base,
        snapshots: [...(base.snapshots ?? []), snapshot],
        'last-sequence-number': snapshot['sequence-number'],
        'last-updated-ms': snapshot['timestamp-ms'],
      };
    }
    case 'set-snapshot-ref':
      return setRef(base, update.name, update.ref);
    case 'remove-snapshots':
      return removeSnapshots(base, update.ids);
    case 'set-properties':
      return { ...base, properties: { ...base.properties, ...update.updates } };
  }
}

function setRef(base: TableMetadata, name: string, ref: SnapshotRef): TableMetadata {
  const refs = { ...base.refs, [name]: ref };
  if (name !== 'main') return { ...base, refs };
  const entry = { 'timestamp-ms': base['last-updated-ms'], 'snapshot-id': ref['snapshot-id'] };
  return {
    ...base,
    refs,
    'current-snapshot-id': ref['snapshot-id'],
    'snapshot-log': [...(base['snapshot-log'] ?? []), entry],
  };
}

/** The log is cut behind its last entry that names a removed snapshot: time travel must not skip over a hole. */
function removeSnapshots(base: TableMetadata, ids: readonly Long[]): TableMetadata {
  const gone = new Set(ids.map(String));
  const isGone = (entry: { readonly 'snapshot-id': Long }) => gone.has(String(entry['snapshot-id']));
  const log = base['snapshot-log'] ?? [];
  return {
    ...base,
    snapshots: (base.snapshots ?? []).filter((snapshot) => !isGone(snapshot)),
    'snapshot-log': log.slice(log.findLastIndex(isGone) + 1),
  };
}
