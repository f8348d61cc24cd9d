import { Client } from 'pg';
import { systemClock } from '#engine';
import { openTimeSeriesReader, seriesKeyText } from '#sinks';
import { SERIES } from './job-process.ts';
import { type ExpectedWindow, windowName } from './recount.ts';
import { NAMESPACE } from './workload.ts';

/** Values of one stored window: n, temp, cold, hot, vib, rpm. */
type StoredValues = Readonly<Record<string, number | null>>;

export interface WindowVerdict {
  readonly windows: number;
  /** Records that the stored windows say they have counted. */
  readonly counted: number;
  /** Windows that a store lacks, has beyond the expected ones, or has with another value; first the examples. */
  readonly lost: number;
  readonly surplus: number;
  readonly wrong: number;
  readonly examples: readonly string[];
}

/** Values kept exactly by a quantile; above, its answer is within this share of the true one. */
const EXACT_VALUES = 64;
const QUANTILE_ERROR = 0.01;
const EXAMPLES_MAX = 3;

export async function storedInPostgres(url: string): Promise<ReadonlyMap<string, StoredValues>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      `SELECT tenant, "deviceId", extract(epoch FROM window_start)::float8 * 1000 AS start, n, temp, cold, hot, vib, rpm FROM ${SERIES}`,
    );
    const stored = new Map<string, StoredValues>();
    for (const { tenant, deviceId, start, ...values } of rows)
      stored.set(windowName(String(tenant), String(deviceId), Number(start)), values as StoredValues);
    return stored;
  } finally {
    await client.end();
  }
}

export async function storedInRedis(
  url: string,
  windows: Iterable<string>,
): Promise<ReadonlyMap<string, StoredValues>> {
  const reader = await openTimeSeriesReader({ url, namespace: NAMESPACE, clock: systemClock });
  try {
    const stored = new Map<string, StoredValues>();
    const expected = [...windows].map((name) => name.slice(0, name.indexOf('@')));
    const keys = new Set([...expected, ...(await reader.keys(SERIES, Number.MAX_SAFE_INTEGER))]);
    for (const key of keys) {
      const [tenant = '', deviceId = ''] = key.split('/');
      const query = { name: SERIES, key: seriesKeyText({ tenant, deviceId }), from: 0, to: 8.64e15 };
      for (const point of await reader.range({ ...query, pointsMax: 1_000_000 }))
        stored.set(windowName(tenant, deviceId, point.start), point.values);
    }
    return stored;
  } finally {
    await reader.close();
  }
}

/** Compares what a store has with what it must have. */
export function compareWindows(
  expected: ReadonlyMap<string, ExpectedWindow>,
  stored: ReadonlyMap<string, StoredValues>,
): WindowVerdict {
  const examples: string[] = [];
  const example = (text: string) => {
    if (examples.length < EXAMPLES_MAX) examples.push(text);
  };
  let [lost, wrong, surplus, counted] = [0, 0, 0, 0];
  for (const [name, window] of expected) {
    const values = stored.get(name);
    if (values === undefined) {
      lost++;
      example(`${name} is missing`);
      continue;
    }
    const difference = differenceOf(window, values);
    if (difference === null) continue;
    wrong++;
    example(`${name}: ${difference}`);
  }
  for (const [name, values] of stored) {
    counted += values['n'] ?? 0;
    if (expected.has(name)) continue;
    surplus++;
    example(`${name} must not be there: ${JSON.stringify(values)}`);
  }
  return { windows: stored.size, counted, lost, surplus, wrong, examples };
}

/** Windows whose values differ between two stores in any bit. */
export function differingWindows(
  one: ReadonlyMap<string, StoredValues>,
  other: ReadonlyMap<string, StoredValues>,
): number {
  const text = (values: StoredValues | undefined) =>
    JSON.stringify(values && ['n', 'temp', 'cold', 'hot', 'vib', 'rpm'].map((field) => values[field]));
  const names = new Set([...one.keys(), ...other.keys()]);
  return [...names].filter((name) => text(one.get(name)) !== text(other.get(name))).length;
}

function differenceOf(window: ExpectedWindow, values: StoredValues): string | null {
  const { n, temp, cold, hot, vib, rpm } = values as Readonly<
    Record<'n' | 'temp' | 'cold' | 'hot' | 'vib' | 'rpm', number | null>
  >;
  if (n !== window.n) return `n is ${n}, must be ${window.n}`;
  const average = window.temperatures === 0 ? null : window.temperatureSum / window.temperatures;
  if (!close(temp, average, 1e-9)) return `temp is ${temp}, must be ${average}`;
  if (cold !== window.cold || hot !== window.hot)
    return `temperatures are ${cold} … ${hot}, must be ${window.cold} … ${window.hot}`;
  if (rpm !== window.rpm) return `rpm is ${rpm}, must be ${window.rpm}`;
  const p99 = nearestRank(window.vibrations, 0.99);
  const error = window.vibrations.length > EXACT_VALUES ? QUANTILE_ERROR : 0;
  return close(vib, p99, error) ? null : `vib is ${vib}, must be ${p99}`;
}

function nearestRank(values: readonly number[], q: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}

function close(actual: number | null, expected: number | null, relative: number): boolean {
  if (actual === null || expected === null) return actual === expected;
  return Math.abs(actual - expected) <= Math.abs(expected) * relative * (1 + 1e-9) + 1e-12;
}
