import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NabReading } from './nab-reading.ts';

/** Where the benchmark's CSV files are looked for, beside the repository. */
export const NAB_FOLDER = fileURLToPath(new URL('../../../shared/data/nab', import.meta.url));

/** Rows by series, each in the order of its file; null when the files are not there. */
export function readNab(folder = NAB_FOLDER): ReadonlyMap<string, readonly NabReading[]> | null {
  const files = existsSync(folder) ? globSync(join(folder, '*', '*.csv')).sort() : [];
  return files.length === 0 ? null : new Map(files.map((file) => [basename(file, '.csv'), readSeries(file)]));
}

/**
 * One stream of all series: always the oldest row among the next ones of each. A series keeps the order of its file, so the hour
 * that machine_temperature lives through twice (clocks went back) arrives as it was recorded, out of order.
 */
export function mergeByTime(series: Iterable<readonly NabReading[]>): NabReading[] {
  const cursors = [...series].map((rows) => ({ rows, next: 0 }));
  const total = cursors.reduce((n, { rows }) => n + rows.length, 0);
  const merged: NabReading[] = [];
  while (merged.length < total) {
    let oldest: (typeof cursors)[number] | null = null;
    for (const cursor of cursors) {
      const row = cursor.rows[cursor.next];
      if (row === undefined) continue;
      if (oldest === null || row.ts < (oldest.rows[oldest.next] as NabReading).ts) oldest = cursor;
    }
    if (oldest !== null) merged.push(oldest.rows[oldest.next++] as NabReading);
  }
  return merged;
}

/** The same stream when every `every`-th row of `series` comes from a gateway that is cut off: what arrives, and what it still holds. */
export function cutOff(
  rows: readonly NabReading[],
  { series, every }: { readonly series: string; readonly every: number },
): { readonly arriving: readonly NabReading[]; readonly held: readonly NabReading[] } {
  let count = 0;
  const { arriving = [], held = [] } = Object.groupBy(rows, (row) =>
    row.series === series && ++count % every === 0 ? 'held' : 'arriving',
  );
  return { arriving, held };
}

/** The files' times have no zone; they are taken as UTC. */
function readSeries(file: string): readonly NabReading[] {
  const series = basename(file, '.csv');
  const lines = readFileSync(file, 'utf8').trim().split(/\r?\n/);
  return lines.slice(1).map((line) => {
    const [time = '', value = ''] = line.split(',');
    const row = { ts: Date.parse(`${time.replace(' ', 'T')}Z`), series, value: Number(value) };
    if (value === '' || !Number.isFinite(row.ts) || !Number.isFinite(row.value)) {
      throw new Error(`${file} has a line that is no reading: '${line}'`);
    }
    return row;
  });
}
