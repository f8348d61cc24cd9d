import type { TimedRows } from './timed-rows.ts';

/**
 * Rows with their times as a snapshot holds them, for many keys: entry i belongs to the group's key `key[i]`. The arrays are
 * copies; the rows are records, which nobody changes.
 */
export interface StoredRows {
  readonly key: number[];
  readonly times: number[];
  readonly rows: unknown[];
  readonly flags: number[];
}

export function emptyRows(): StoredRows {
  return { key: [], times: [], rows: [], flags: [] };
}

export function storeRows(into: StoredRows, key: number, from: TimedRows, slot: number): void {
  const end = from.end(slot);
  for (let i = from.head(slot); i < end; i++) {
    into.key.push(key);
    into.times.push(from.times[i] as number);
    into.rows.push(from.rows[i]);
    into.flags.push(from.flags[i] as number);
  }
}

/** Calls `add` for every row, in the order stored. */
export function restoreRows(
  stored: StoredRows,
  add: (key: number, time: number, row: unknown, flag: number) => void,
): void {
  for (const [i, key] of stored.key.entries())
    add(key, stored.times[i] as number, stored.rows[i], stored.flags[i] as number);
}
