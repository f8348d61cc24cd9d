import { createHash } from 'node:crypto';

/** One window of one device, as every variant reports it. */
export interface ResultRow {
  readonly device: string;
  readonly start: number;
  readonly values: readonly number[];
}

/** Values of a row of T1. */
const VALUES = 13;
const CHUNK_ROWS = 65_536;

/** Rows of T1 as a run gives them, packed: millions of objects that stay would be the collector's work, and not that of what is measured. */
export class ResultRows {
  /** Start, then the values. */
  readonly #numbers: Float64Array[] = [];
  readonly #devices: string[] = [];

  get length(): number {
    return this.#devices.length;
  }

  add(device: string, start: number, values: readonly number[]): void {
    const at = this.#devices.length % CHUNK_ROWS;
    this.#devices.push(device);
    if (at === 0) this.#numbers.push(new Float64Array(CHUNK_ROWS * (1 + VALUES)));
    const numbers = this.#numbers.at(-1) as Float64Array;
    numbers[at * (1 + VALUES)] = start;
    for (let v = 0; v < VALUES; v++) numbers[at * (1 + VALUES) + 1 + v] = values[v] as number;
  }

  rows(): readonly ResultRow[] {
    return this.#devices.map((device, i) => {
      const numbers = this.#numbers[Math.floor(i / CHUNK_ROWS)] as Float64Array;
      const at = (i % CHUNK_ROWS) * (1 + VALUES);
      const values = Array.from(numbers.subarray(at + 1, at + 1 + VALUES));
      return { device, start: numbers[at] as number, values };
    });
  }
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
