import { ERROR_CATALOGUE, errorCode } from '../base/errors.ts';
import type { JobOptions } from '../graph/job-graph.ts';

/** When checkpoints are taken, and how many may fail. */
export interface CheckpointPolicy {
  readonly intervalMs: number;
  /** From the end of one to the beginning of the next at least; savepoints do not wait. */
  readonly minPauseMs: number;
  /** Failures in a row that do not fail the attempt. */
  readonly failuresTolerable: number;
}

/** @param intervalMs as it is now; what the job's options say is what it begins with */
export function checkpointPolicy(options: JobOptions, intervalMs: number): CheckpointPolicy {
  const { checkpointMinPauseMs, checkpointFailuresTolerable } = options;
  return {
    intervalMs,
    minPauseMs: checkpointMinPauseMs,
    failuresTolerable: checkpointFailuresTolerable,
  };
}

/** What has happened so far in this attempt; monotonic ms. */
export interface CheckpointFacts {
  /** The last one's beginning, or the attempt's. */
  readonly triggeredMs: number;
  /** The last one's end; null before the first. */
  readonly endedMs: number | null;
}

/** When the next periodic checkpoint begins, monotonic ms. */
export function nextTriggerMs({ triggeredMs, endedMs }: CheckpointFacts, policy: CheckpointPolicy): number {
  const earliest = endedMs === null ? triggeredMs : endedMs + policy.minPauseMs;
  return Math.max(triggeredMs + policy.intervalMs, earliest);
}

/**
 * Does an attempt go on after a checkpoint of it failed? Not after what ends it anyway: a fence, a bug of ours, anything that trying again
 * cannot mend. (One that failed once it was published fails the attempt in any case: a restore commits its output.)
 * Source: Flink, tolerable failed checkpoints: a run of failures longer than the limit fails the job, a success starts it over.
 */
export function toleratesFailure(
  facts: { readonly error: unknown; readonly failuresInRow: number },
  policy: CheckpointPolicy,
): boolean {
  const code = errorCode(facts.error);
  if (code === null || ERROR_CATALOGUE[code].retry === 'never') return false;
  return TOLERABLE.has(code) && facts.failuresInRow <= policy.failuresTolerable;
}

/** Failures of the taking and storing, not of what processes records. */
const TOLERABLE: ReadonlySet<string> = new Set([
  'MR_CHECKPOINT_TIMEOUT',
  'MR_CHECKPOINT_FAILED',
  'MR_CHECKPOINT_NO_SPACE',
  'MR_REDIS_UNAVAILABLE',
]);
