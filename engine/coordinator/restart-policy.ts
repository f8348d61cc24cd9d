import { ERROR_CATALOGUE, errorCode } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { RestartOptions } from '../graph/job-graph.ts';

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'fail'; readonly why: string };

/** What the policy decides from. */
export interface FailureFacts {
  readonly error: unknown;
  /** Failures in a row, this one included; running quietly for `resetAfterMs` starts over. */
  readonly failuresInRow: number;
}

/**
 * Restart after an exponential delay with jitter, or fail for good: when the error's catalogue entry says that trying again
 * cannot help, or after `attemptsMax` in a row. Errors from outside the catalogue (user code) restart.
 * Source: Flink's exponential-delay strategy; 1 s, ×2, at most 1 min, jitter, by default without end.
 */
export function decideRestart(facts: FailureFacts, options: RestartOptions, random: Random): RestartDecision {
  const code = errorCode(facts.error);
  if (code !== null && ERROR_CATALOGUE[code].retry === 'never')
    return { kind: 'fail', why: `${code} cannot be mended by trying again` };
  if (facts.failuresInRow >= options.attemptsMax)
    return { kind: 'fail', why: `${facts.failuresInRow} attempts in a row have failed` };
  const ceilingMs = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(facts.failuresInRow - 1, 30));
  return { kind: 'restart', delayMs: Math.round(ceilingMs * (0.9 + random() * 0.2)) };
}
