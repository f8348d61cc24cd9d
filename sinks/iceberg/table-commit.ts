/**
 * Appends manifests to a table as one snapshot, against racing committers. Owns the manifest list it writes; the added manifests
 * are final and are never rewritten, however often a commit is tried.
 *
 * Suspension points: every file operation, and the wait between two attempts.
 *
 * TC1 `main`, the extra refs and properties, and the removal of expired snapshots move in one metadata version, or not at all.
 * TC2 Before every attempt `alreadyDone` looks at the newest metadata: what another process has committed is not committed again.
 * TC3 A file of a lost attempt is deleted only after the newest metadata shows that the attempt's snapshot is not in it.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { backoffMs, type Clock, MillraceError, type Random } from '#engine';
import { pathOf, readTableFile, replaceFile } from './durable-file.ts';
import type { FileCatalog, LoadedTable } from './file-catalog.ts';
import {
  decodeManifestList,
  encodeManifestList,
  type Long,
  type ManifestContext,
  type ManifestFile,
  type ManifestSummary,
} from './manifest.ts';
import { mergeManifests, type MergePolicy } from './manifest-merge.ts';
import {
  currentSnapshot,
  type Snapshot,
  type SnapshotRef,
  snapshotById,
  type TableMetadata,
  type TableUpdate,
} from './table-metadata.ts';

export interface TableAppend {
  readonly catalog: FileCatalog;
  /** Where to start from: the table as last seen, or null to load it. */
  readonly base: LoadedTable | null;
  readonly manifests: readonly ManifestSummary[];
  readonly totals: AppendTotals;
  /** Goes into the snapshot's summary. */
  readonly summary: Readonly<Record<string, string>>;
  /** Tags to set on the snapshot, by name. */
  readonly tags: Readonly<Record<string, { readonly maxAgeMs: number }>>;
  readonly properties: Readonly<Record<string, string>>;
  /** True when the table already has this append. May throw to give up. */
  readonly alreadyDone: (metadata: TableMetadata) => boolean;
  /** Snapshots to drop in the same step. */
  readonly expired: (metadata: TableMetadata, nowMs: number) => readonly Long[];
  readonly merge: MergePolicy & { readonly context: ManifestContext };
}

interface AppendTotals {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly partitions: number;
}

export interface CommitEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly killPoint: (name: string) => void;
}

export interface AppendResult {
  readonly kind: 'committed' | 'already';
  readonly table: LoadedTable;
  readonly conflicts: number;
  /** Metadata that the snapshot was put on, and what it removed. */
  readonly before: TableMetadata;
  readonly expired: readonly Long[];
}

const ATTEMPTS_MAX = 10;
const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 5_000;

/** @throws MR_TABLE_CONFLICT after {@link ATTEMPTS_MAX} lost races; MR_TABLE_CORRUPT when the table is gone or unreadable. */
export async function appendToTable(
  append: TableAppend,
  environment: CommitEnvironment,
): Promise<AppendResult> {
  const id = newSnapshotId();
  let table = append.base ?? (await loadTable(append.catalog));
  for (let conflicts = 0; conflicts < ATTEMPTS_MAX; conflicts++) {
    if (append.alreadyDone(table.metadata))
      return { kind: 'already', table, conflicts, before: table.metadata, expired: [] };
    const attempt = await stageSnapshot(append, table.metadata, id, conflicts, environment.clock.now());
    environment.killPoint('iceberg:before-swap');
    const outcome = await append.catalog.commit(table, requirements(table.metadata), attempt.updates);
    const before = table.metadata;
    if (outcome.kind === 'committed') {
      environment.killPoint('iceberg:after-swap');
      return { kind: 'committed', table: outcome.table, conflicts, before, expired: attempt.expired };
    }
    table = await loadTable(append.catalog);
    if (snapshotById(table.metadata, id) !== undefined)
      return { kind: 'committed', table, conflicts, before, expired: attempt.expired };
    for (const file of attempt.files) await rm(pathOf(file), { force: true }); // TC3
    await environment.clock.sleep(
      backoffMs(conflicts, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, environment.random),
      environment.signal,
    );
    if (environment.signal.aborted) break;
  }
  throw new MillraceError(
    'MR_TABLE_CONFLICT',
    `Iceberg table ${append.catalog.location}: lost every race for a commit (at most ${ATTEMPTS_MAX} attempts). Lower the number of writers of this table or their commit rate.`,
  );
}

/** @throws MR_TABLE_CORRUPT when the table is not there. */
export async function loadTable(catalog: FileCatalog): Promise<LoadedTable> {
  const table = await catalog.load();
  if (table !== null) return table;
  throw new MillraceError(
    'MR_TABLE_CORRUPT',
    `Iceberg table ${catalog.location} has disappeared; restore the folder or start a new sink.`,
  );
}

/** The manifests that a snapshot names; none for no snapshot. */
export async function manifestsOf(snapshot: Snapshot | undefined): Promise<readonly ManifestFile[]> {
  if (snapshot === undefined) return [];
  const location = snapshot['manifest-list'];
  return decodeManifestList(await readTableFile(location), location);
}

interface StagedSnapshot {
  readonly updates: readonly TableUpdate[];
  readonly expired: readonly Long[];
  /** Files written for this attempt alone. */
  readonly files: readonly string[];
}

async function stageSnapshot(
  append: TableAppend,
  base: TableMetadata,
  id: Long,
  attempt: number,
  nowMs: number,
): Promise<StagedSnapshot> {
  const parent = currentSnapshot(base);
  const sequenceNumber = base['last-sequence-number'] + 1;
  const kept = (await manifestsOf(parent)).filter((it) => it.added_files_count + it.existing_files_count > 0);
  const merged = await mergeManifests(kept, {
    location: base.location,
    snapshotId: id,
    sequenceNumber,
    ...append.merge,
  });
  const added = append.manifests.map(
    (manifest): ManifestFile => ({
      ...manifest,
      content: 0,
      sequence_number: sequenceNumber,
      min_sequence_number: sequenceNumber,
      added_snapshot_id: id,
    }),
  );
  const list = `${base.location}/metadata/snap-${id}-${attempt}-${randomUUID()}.avro`;
  const bytes = await encodeManifestList([...added, ...merged.manifests], {
    id,
    parent: parent?.['snapshot-id'] ?? null,
    sequenceNumber,
  });
  await replaceFile(pathOf(list), bytes);
  const snapshot: Snapshot = {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': Math.max(nowMs, base['last-updated-ms']),
    'manifest-list': list,
    summary: snapshotSummary(append, parent),
    'schema-id': append.merge.context.schema['schema-id'],
  };
  const expired = append.expired(base, nowMs);
  return { updates: updatesOf(append, snapshot, expired), expired, files: [list, ...merged.written] };
}

function updatesOf(
  append: TableAppend,
  snapshot: Snapshot,
  expired: readonly Long[],
): readonly TableUpdate[] {
  const id = snapshot['snapshot-id'];
  const main: SnapshotRef = { 'snapshot-id': id, type: 'branch' };
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', name: 'main', ref: main },
    { action: 'set-properties', updates: append.properties },
  ];
  for (const [name, { maxAgeMs }] of Object.entries(append.tags)) {
    updates.push({
      action: 'set-snapshot-ref',
      name,
      ref: { 'snapshot-id': id, type: 'tag', 'max-ref-age-ms': maxAgeMs },
    });
  }
  if (expired.length > 0) updates.push({ action: 'remove-snapshots', ids: expired });
  return updates;
}

function requirements(metadata: TableMetadata) {
  const snapshotId = currentSnapshot(metadata)?.['snapshot-id'] ?? null;
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId },
  ] as const;
}

function snapshotSummary(
  { totals, summary }: TableAppend,
  parent: Snapshot | undefined,
): Readonly<Record<string, string>> {
  const total = (name: string, added: number) => String(Number(parent?.summary[name] ?? 0) + added);
  return {
    operation: 'append',
    ...summary,
    'added-data-files': String(totals.files),
    'added-records': String(totals.rows),
    'added-files-size': String(totals.bytes),
    'changed-partition-count': String(totals.partitions),
    'total-data-files': total('total-data-files', totals.files),
    'total-records': total('total-records', totals.rows),
    'total-files-size': total('total-files-size', totals.bytes),
    'total-delete-files': total('total-delete-files', 0),
    'total-position-deletes': total('total-position-deletes', 0),
    'total-equality-deletes': total('total-equality-deletes', 0),
    'engine-name': 'millrace',
  };
}

/** 53 random bits: unique enough for one table's snapshots, and exact in every JavaScript reader. */
function newSnapshotId(): number {
  return Number(randomBytes(8).readBigUInt64BE() >> 11n) || 1;
}
