import { EPOCH_MS } from '../process.ts';
import { type Reading, WINDOW_MS, type WindowResult } from '../simulated-job.ts';
import type { Tally } from './pipeline-job.ts';

/** The newest result of each window, and what is wrong with the ones before: each must count more records than the last. */
export function newestResults(results: readonly WindowResult[]): {
  readonly newest: readonly WindowResult[];
  readonly problems: readonly string[];
} {
  const newest = new Map<string, WindowResult>();
  const problems: string[] = [];
  for (const result of results) {
    const name = `${result.device}@${result.start - EPOCH_MS}`;
    const before = newest.get(name);
    if (before !== undefined && before.n >= result.n)
      problems.push(`window ${name} has a result with n ${result.n} after one with n ${before.n}`);
    newest.set(name, result);
  }
  return { newest: [...newest.values()], problems };
}

/** Says which seconds have no tally, and which devices' tallies do not sum up to their input. */
export function verifyTallies(readings: readonly Reading[], tallies: readonly Tally[]): readonly string[] {
  const right = sums(readings.map(({ device, value }) => ({ device, n: 1, total: value })));
  const found = sums(tallies);
  const times = new Set(tallies.map(({ device, at }) => `${device}@${at - EPOCH_MS}`));
  const due = new Set(
    readings.map(({ device, ts }) => `${device}@${(Math.floor(ts / WINDOW_MS) + 1) * WINDOW_MS - EPOCH_MS}`),
  );
  const missing = [...due].filter((name) => !times.has(name)).map((name) => `tally ${name} is missing`);
  const wrong = [...new Set([...right.keys(), ...found.keys()])].flatMap((device) => {
    const [is, must] = [found.get(device), right.get(device)];
    if (is?.n === must?.n && is?.total === must?.total) return [];
    return [
      `tallies of ${device} sum up to n ${is?.n} and total ${is?.total}, must be ${must?.n} and ${must?.total}`,
    ];
  });
  return [...missing, ...wrong];
}

interface Sum {
  readonly n: number;
  readonly total: number;
}

function sums(items: readonly (Sum & { readonly device: string })[]): Map<string, Sum> {
  const byDevice = new Map<string, Sum>();
  for (const { device, n, total } of items) {
    const before = byDevice.get(device) ?? { n: 0, total: 0 };
    byDevice.set(device, { n: before.n + n, total: before.total + total });
  }
  return byDevice;
}
