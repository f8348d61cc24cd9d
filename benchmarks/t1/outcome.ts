import { createHash } from 'node:crypto';

/** One window of one device, as every variant reports it. */
export interface ResultRow {
  readonly device: string;
  readonly start: number;
  readonly values: readonly number[];
}

/** What a variant prints: work done, CPU time of the whole process while it was done, and a digest of its results. */
export interface Outcome {
  readonly variant: string;
  readonly events: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rows: number;
  readonly digest: string;
  /** CPU time of the Redis server, where there is one. */
  readonly serverCpuMs?: number;
}

/** SHA-256 over rows sorted by window and device, values rounded to 1e-6. */
export function digestOf(rows: readonly ResultRow[]): string {
  const sorted = rows.toSorted((a, b) => a.start - b.start || (a.device < b.device ? -1 : 1));
  const hash = createHash('sha256');
  for (const { device, start, values } of sorted)
    hash.update(`${device},${start},${values.map((v) => v.toFixed(6)).join(',')}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** CPU time of this process so far, all threads, ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
