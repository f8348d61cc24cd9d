import { ERROR_CATALOGUE, errorCode, hasCode } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { RestartOptions } from '../graph/job-graph.ts';

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'fail'; readonly why: string };

/** What the policy decides from. */
export interface FailureFacts {
  readonly error: unknown;
  /** When attempts of this job have failed so far, monotonic ms, rising; the last one is this failure. */
  readonly failedAt: readonly number[];
  /** How long the attempt that failed now had run, ms. */
  readonly ranMs: number;
  /** Failures in a row before this one. */
  readonly inRow: number;
}

/** Failures in a row, this one included; running quietly for `resetAfterMs` starts over. */
export function failuresInRow({ inRow, ranMs }: FailureFacts, options: RestartOptions): number {
  return options.strategy === 'exponential' && ranMs >= options.resetAfterMs ? 1 : inRow + 1;
}

/**
 * Restart after a delay, or fail for good: when the error's catalogue entry says that trying again cannot help, or when the job's
 * strategy allows no more. Errors from outside the catalogue (user code) restart. The first failure in a row restarts at once when it
 * is a lost host or a lost way to one: nothing in the job has caused it, and waiting would mend nothing.
 * Source: Flink's restart strategies. Exponential: 1 s, ×2, at most 1 min, jitter, by default without end.
 */
export function decideRestart(facts: FailureFacts, options: RestartOptions, random: Random): RestartDecision {
  const code = errorCode(facts.error);
  if (code !== null && ERROR_CATALOGUE[code].retry === 'never')
    return { kind: 'fail', why: `${code} cannot be mended by trying again` };
  const inRow = failuresInRow(facts, options);
  const isFirst = inRow === 1 && isElsewhere(facts.error);
  switch (options.strategy) {
    case 'none':
      return { kind: 'fail', why: 'the job declares no restarts' };
    case 'fixed':
      return allowed(inRow, options.attemptsMax) ?? restart(isFirst ? 0 : options.delayMs);
    case 'failure-rate': {
      const { failuresMax, perMs, delayMs } = options;
      const now = facts.failedAt.at(-1) as number;
      const recent = facts.failedAt.filter((at) => at > now - perMs).length;
      return recent > failuresMax
        ? { kind: 'fail', why: `${recent} attempts have failed within ${perMs} ms` }
        : restart(recent === 1 && isElsewhere(facts.error) ? 0 : delayMs);
    }
    case 'exponential': {
      const ceilingMs = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(inRow - 1, 30));
      const delayMs = Math.round(ceilingMs * (0.9 + random() * 0.2));
      return allowed(inRow, options.attemptsMax) ?? restart(isFirst ? 0 : delayMs);
    }
  }
}

/** How many times of failures the policy looks back at. */
export function failuresToKeep(options: RestartOptions): number {
  return options.strategy === 'failure-rate' ? options.failuresMax + 1 : 1;
}

function isElsewhere(error: unknown): boolean {
  return hasCode(error, 'MR_HOST_LOST', 'MR_EXCHANGE_LOST', 'MR_CONTROL_FAILED');
}

function restart(delayMs: number): RestartDecision {
  return { kind: 'restart', delayMs };
}

function allowed(inRow: number, attemptsMax: number): RestartDecision | null {
  return inRow < attemptsMax ? null : { kind: 'fail', why: `${inRow} attempts in a row have failed` };
}
