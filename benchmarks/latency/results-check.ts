import { join } from 'node:path';
import { systemClock } from '#engine';
import { openTimeSeriesReader, tableState } from '#sinks';
import { NAMESPACE, SERIES, TABLE } from './settings.ts';

/** What must hold after a run, whatever its speed. */
export interface Expected {
  readonly url: string;
  readonly dataDir: string;
  readonly records: number;
  readonly windowMs: number;
  /** Window start → records that count in it. */
  readonly windows: ReadonlyMap<number, number>;
  /** Series key → writes that were seen. */
  readonly points: ReadonlyMap<string, number>;
}

/**
 * Reads back what the run has left: in closed windows every record that was sent counts once, each device has as many consecutive points as
 * writes were seen, and the lake has every record.
 * @returns rows of the lake
 * @throws when something is wrong: such a run has no figures
 */
export async function checkResults(expected: Expected): Promise<number> {
  const { url, dataDir, records, windowMs, windows, points } = expected;
  const reader = await openTimeSeriesReader({ url, namespace: NAMESPACE, clock: systemClock });
  const counted = new Map<number, number>();
  const wrong: string[] = [];
  for (const key of await reader.keys(SERIES, Number.MAX_SAFE_INTEGER)) {
    const query = { name: SERIES, key, from: 0, to: Number.MAX_SAFE_INTEGER, pointsMax: 1_000_000 };
    const stored = await reader.range(query);
    const gap = stored.some(({ start }, i) => start !== (stored[0]?.start ?? 0) + i * windowMs);
    if (gap || stored.length !== points.get(key))
      wrong.push(`${key} has ${stored.length} points, ${points.get(key) ?? 0} writes were seen`);
    for (const { start, values } of stored)
      counted.set(start, (counted.get(start) ?? 0) + (values['n'] as number));
  }
  await reader.close();
  for (const [start, count] of counted)
    if (windows.get(start) !== count)
      wrong.push(`window ${start} counts ${count} of ${windows.get(start) ?? 0} records`);
  const lake = await tableState(join(dataDir, 'warehouse'), TABLE);
  if (lake?.rows !== records) wrong.push(`the lake has ${lake?.rows ?? 0} of ${records} rows`);
  if (wrong.length > 0) throw new Error(`The results are wrong: ${wrong.slice(0, 5).join('; ')}.`);
  return records;
}
