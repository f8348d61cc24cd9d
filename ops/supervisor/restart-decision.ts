import { backoffMs, type Random } from '#wire';

/** Programs of Millrace end with this code when a restart cannot help: wrong settings, a port that is taken. */
export const EXIT_NO_RESTART = 2;

export const RESTART = {
  firstMs: 250,
  maxMs: 10_000,
  /** Ends in a row, each after less than `stableMs`, before giving up. */
  inRowMax: 10,
  stableMs: 30_000,
} as const;

export type RestartDecision =
  | { readonly kind: 'restart'; readonly afterMs: number; readonly inRow: number }
  | { readonly kind: 'give-up'; readonly why: string };

export interface ProcessEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly ranMs: number;
  /** Restarts in a row before this end. */
  readonly inRow: number;
}

/** What follows when a kept process ends without having been told to. */
export function decideRestart({ code, ranMs, inRow }: ProcessEnd, random: Random): RestartDecision {
  if (code === EXIT_NO_RESTART) return { kind: 'give-up', why: 'it cannot run like this (see above)' };
  const before = ranMs >= RESTART.stableMs ? 0 : inRow;
  if (before >= RESTART.inRowMax) return { kind: 'give-up', why: `it ended ${before + 1} times in a row` };
  return {
    kind: 'restart',
    afterMs: backoffMs(before, RESTART.firstMs, RESTART.maxMs, random),
    inRow: before + 1,
  };
}
