import { EPOCH_MS } from './process.ts';
import { type Reading, WINDOW_MS, type WindowResult } from './simulated-job.ts';

/** Counts the input again and says what differs: each record is in one window's result or in the late topic, once. */
export function verifyWindows(
  readings: readonly Reading[],
  windows: readonly WindowResult[],
  late: readonly Reading[],
): readonly string[] {
  const problems: string[] = [];
  const isLate = countsOf(late.map(({ number }) => number));
  for (const [number, times] of isLate)
    if (times > 1) problems.push(`record ${number} is late ${times} times`);
  const expected = new Map<string, { n: number; total: number }>();
  for (const { number, device, ts, value } of readings) {
    if (isLate.has(number)) continue;
    const name = nameOf(device, Math.floor(ts / WINDOW_MS) * WINDOW_MS);
    const window = expected.get(name) ?? { n: 0, total: 0 };
    expected.set(name, { n: window.n + 1, total: window.total + value });
  }
  const found = new Set<string>();
  for (const { device, start, n, total } of windows) {
    const name = nameOf(device, start);
    if (found.has(name)) problems.push(`window ${name} has two results`);
    found.add(name);
    const right = expected.get(name);
    if (right === undefined) problems.push(`window ${name} must not be there`);
    else if (right.n !== n || right.total !== total)
      problems.push(`window ${name} has n ${n} and total ${total}, must have ${right.n} and ${right.total}`);
  }
  for (const name of expected.keys()) if (!found.has(name)) problems.push(`window ${name} is missing`);
  return problems;
}

/** Says which records are not there exactly once. */
export function verifyOnce(
  what: string,
  readings: readonly Reading[],
  numbers: readonly number[],
): readonly string[] {
  const counts = countsOf(numbers);
  return readings.flatMap(({ number }) => {
    const times = counts.get(number) ?? 0;
    return times === 1 ? [] : [`record ${number} is in ${what} ${times} times`];
  });
}

function countsOf(numbers: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return counts;
}

function nameOf(device: string, start: number): string {
  return `${device}@${start - EPOCH_MS}`;
}
