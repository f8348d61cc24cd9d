import { HOUR_MS, type NabHour } from './nab-job.ts';
import type { NabReading } from './nab-reading.ts';

/** Windows counted again, the plain way, rows in the order of their arrival; ordered by start and series. */
export function recountHours(rows: readonly NabReading[]): readonly NabHour[] {
  const values = new Map<string, { start: number; series: string; values: number[] }>();
  for (const { series, ts, value } of rows) {
    const start = ts - (ts % HOUR_MS);
    const key = `${start} ${series}`;
    const hour = values.get(key) ?? { start, series, values: [] };
    hour.values.push(value);
    values.set(key, hour);
  }
  return inOrder([...values.values()].map(summary));
}

export function inOrder<Row extends Pick<NabHour, 'start' | 'series'>>(
  hours: readonly Row[],
): readonly Row[] {
  return [...hours].sort((a, b) => a.start - b.start || (a.series < b.series ? -1 : 1));
}

function summary({
  start,
  series,
  values,
}: {
  readonly start: number;
  readonly series: string;
  readonly values: readonly number[];
}): NabHour {
  const total = values.reduce((a, b) => a + b, 0);
  return {
    start,
    series,
    n: values.length,
    total,
    low: Math.min(...values),
    high: Math.max(...values),
    mean: total / values.length,
  };
}
