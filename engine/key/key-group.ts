import type { KeyGroup } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { fmix32, mixRound } from '../wire/murmur3.ts';

/** Bound of max parallelism, which is frozen in a job's first checkpoint. Source: Flink, KeyGroupRangeAssignment. */
const MAX_PARALLELISM_MAX = 32_768;

/** Group of a key hash (key.ts): Flink's integer mixer, then modulo. Source: Flink, MathUtils.murmurHash. */
export function keyGroupOf(keyHash: number, maxParallelism: number): KeyGroup {
  return (mixHash(keyHash) % maxParallelism) as KeyGroup;
}

/** Flink's mixer of a 32-bit hash into 0 … 2³¹−1. */
export function mixHash(hash: number): number {
  const mixed = fmix32(mixRound(0, hash) ^ 4);
  return mixed >= 0 ? mixed : mixed === -2147483648 ? 0 : -mixed;
}

/** The subtask that owns a group: `floor(group × parallelism / maxParallelism)`. */
export function subtaskOf(group: number, parallelism: number, maxParallelism: number): number {
  return Math.floor((group * parallelism) / maxParallelism);
}

/** First and last group (inclusive) of subtask `index`; the inverse of {@link subtaskOf}. */
export function keyGroupRange(
  index: number,
  parallelism: number,
  maxParallelism: number,
): readonly [number, number] {
  const start = Math.floor((index * maxParallelism + parallelism - 1) / parallelism);
  const end = Math.floor(((index + 1) * maxParallelism - 1) / parallelism);
  return [start, end];
}

/** Flink's default: the next power of two above 1.5 × parallelism, within 128 … 32 768. */
export function defaultMaxParallelism(parallelism: number): number {
  const wanted = parallelism + Math.floor(parallelism / 2);
  return Math.min(Math.max(2 ** Math.ceil(Math.log2(wanted)), 128), MAX_PARALLELISM_MAX);
}

/** @throws MR_CONFIG_INVALID when parallelism does not fit max parallelism, or either is out of bounds. */
export function checkParallelism(
  parallelism: number,
  maxParallelism: number,
  what = 'Parallelism',
  max = 'max parallelism',
): void {
  const whole = Number.isInteger(parallelism) && Number.isInteger(maxParallelism);
  if (!whole || parallelism < 1 || maxParallelism < parallelism || maxParallelism > MAX_PARALLELISM_MAX) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `${what} ${parallelism} with ${max} ${maxParallelism}: need 1 ≤ ${what.toLowerCase()} ≤ ${max} ≤ ${MAX_PARALLELISM_MAX}.`,
    );
  }
}
