import { fileCatalog } from './file-catalog.ts';
import type { Long } from './manifest.ts';
import { tableLocation } from './table-binding.ts';
import { currentSnapshot } from './table-metadata.ts';

/** A table at one look, from its metadata alone. */
export interface TableState {
  /** Null while nothing has been committed. */
  readonly snapshotId: Long | null;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Snapshots kept for time travel. */
  readonly snapshots: number;
}

/**
 * What a table holds now, or null when there is none. Reads one small file.
 * @throws MR_CONFIG_INVALID for an impossible name; MR_TABLE_CORRUPT.
 */
export async function tableState(warehouse: string, table: string): Promise<TableState | null> {
  const loaded = await fileCatalog(tableLocation(warehouse, table)).load();
  if (loaded === null) return null;
  const snapshot = currentSnapshot(loaded.metadata);
  const total = (name: string) => Number(snapshot?.summary[name] ?? 0);
  return {
    snapshotId: snapshot?.['snapshot-id'] ?? null,
    rows: total('total-records'),
    files: total('total-data-files'),
    bytes: total('total-files-size'),
    snapshots: loaded.metadata.snapshots?.length ?? 0,
  };
}
