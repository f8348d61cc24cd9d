import type { EnrichedReading } from '../../jobs/device-telemetry/enriched-reading.ts';
import { duckdb, icebird } from '../sinks/iceberg/table-oracles.ts';
import { closingReadings, enriched, fleetReadings, type Workload } from './workload.ts';

export interface LakeVerdict {
  readonly rows: number;
  readonly lost: number;
  /** Rows that are there more often than in the input. */
  readonly doubled: number;
  /** Rows that no input record becomes. */
  readonly wrong: number;
}

export interface ChecksumVerdict {
  readonly rows: number;
  readonly devices: number;
  readonly differing: number;
  readonly example: string | null;
}

const TABLE = 'curated.readings';

/** Every row of the current snapshot, read by icebird, against every record of the input. */
export async function verifyLakeRows(workload: Workload, warehouse: string): Promise<LakeVerdict> {
  const left = new Map<string, number>();
  for (const row of lakeRows(workload)) left.set(rowText(row), (left.get(rowText(row)) ?? 0) + 1);
  const rows = (await icebird(warehouse, TABLE)) as unknown as readonly EnrichedReading[];
  let [doubled, wrong] = [0, 0];
  for (const row of rows) {
    const text = rowText({ ...row, ts: Number(row.ts) }); // icebird gives dates
    const times = left.get(text);
    if (times === undefined) wrong++;
    else if (times === 0) doubled++;
    else left.set(text, times - 1);
  }
  const lost = [...left.values()].reduce((sum, times) => sum + times, 0);
  return { rows: rows.length, lost, doubled, wrong };
}

/** Count and checksums per device by DuckDB over the Parquet files of the current snapshot. */
export async function verifyLakeChecksums(workload: Workload, warehouse: string): Promise<ChecksumVerdict> {
  const expected = new Map<string, number[]>();
  for (const row of lakeRows(workload)) {
    const name = `${row.tenant}/${row.deviceId}`;
    const sums = expected.get(name) ?? COLUMNS.map(() => 0);
    for (const [i, { of }] of COLUMNS.entries()) sums[i] = (sums[i] as number) + of(row);
    expected.set(name, sums);
  }
  const sums = COLUMNS.map(({ sql }, i) => `CAST(sum(${sql}) AS VARCHAR) AS c${i}`);
  const found = await duckdb(
    warehouse,
    TABLE,
    `SELECT tenant, "deviceId", ${sums.join(', ')} FROM lake GROUP BY ALL`,
  );
  let [rows, differing] = [0, 0];
  let example: string | null = null;
  for (const device of found) {
    const name = `${String(device['tenant'])}/${String(device['deviceId'])}`;
    const actual = COLUMNS.map((_, i) => String(device[`c${i}`]));
    rows += Number(actual[0]);
    const wanted = expected.get(name)?.map(String);
    expected.delete(name);
    if (actual.join() === wanted?.join()) continue;
    differing++;
    example ??= `${name} has ${actual.join()}, must have ${wanted?.join() ?? 'nothing'}`;
  }
  return { rows, devices: found.length, differing: differing + expected.size, example };
}

/** Whole numbers below 2^53 in sum, so that both sides add without rounding. The product ties values to their times. */
const COLUMNS: readonly { readonly sql: string; readonly of: (row: EnrichedReading) => number }[] = [
  { sql: '1', of: () => 1 },
  { sql: 'epoch_ms(ts) % 86400000', of: ({ ts }) => ts % 86_400_000 },
  { sql: 'coalesce(round(temperature * 100), 0)::BIGINT', of: (row) => hundredths(row.temperature) },
  {
    sql: '(coalesce(round(temperature * 100), 0)::BIGINT * (epoch_ms(ts) % 9973))',
    of: (row) => hundredths(row.temperature) * (row.ts % 9_973),
  },
  {
    sql: 'coalesce(round(vibration * 1000), -1)::BIGINT',
    of: (row) => Math.round((row.vibration ?? -0.001) * 1_000),
  },
  { sql: 'coalesce(rpm, -1)::BIGINT', of: (row) => row.rpm ?? -1 },
  { sql: 'coalesce(round(voltage * 10), -1)::BIGINT', of: (row) => Math.round((row.voltage ?? -0.1) * 10) },
  { sql: 'hot::BIGINT', of: (row) => Number(row.hot) },
  { sql: '(model IS NULL)::BIGINT', of: (row) => Number(row.model === null) },
  {
    sql: "length(coalesce(location, '')) + length(status)",
    of: (row) => (row.location ?? '').length + row.status.length,
  },
];

function* lakeRows(workload: Workload): Iterable<EnrichedReading> {
  for (const reading of fleetReadings(workload)) yield enriched(reading);
  for (const reading of closingReadings(workload)) yield enriched(reading);
}

function hundredths(temperature: number | null): number {
  return Math.round((temperature ?? 0) * 100);
}

function rowText(r: EnrichedReading): string {
  return `${r.deviceId}|${r.tenant}|${r.ts}|${r.temperature}|${r.vibration}|${r.rpm}|${r.voltage}|${r.status}|${r.site}|${r.firmware}|${r.model}|${r.location}|${r.hot}`;
}
