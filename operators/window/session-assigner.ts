import { type Duration, durationMs, MillraceError } from '#engine';

/** Windows that grow with a key's activity and end when nothing came for `gap`. */
export interface SessionWindows<in T> {
  readonly kind: 'session';
  /** Milliseconds, or a function of the row that gives them. */
  readonly gap: number | ((row: T) => number);
}

/**
 * One window per burst of a key's records: a record at `t` opens `[t, t + gap)`, and windows of one key that overlap or touch are
 * one. Records exactly `gap` apart are in one session.
 *
 * The gap may depend on the record: `session((row) => row.kind === 'video' ? 600_000 : 60_000)`, a whole number of ms above 0. A
 * record for which it is anything else is an operator error (MR_OPERATOR_FAILED) and in no window.
 * @throws MR_CONFIG_INVALID when a fixed gap is below 1 ms.
 */
export function session(gap: Duration): SessionWindows<unknown>;
export function session<T>(gap: (row: T) => number): SessionWindows<T>;
export function session(gap: Duration | ((row: never) => number)): SessionWindows<never> {
  if (typeof gap === 'function') return { kind: 'session', gap };
  const gapMs = durationMs(gap, 'session gap');
  if (gapMs < 1) throw new MillraceError('MR_CONFIG_INVALID', 'A session gap must be at least 1 ms.');
  return { kind: 'session', gap: gapMs };
}

/** A dynamic gap as the user's function gave it. @throws MR_OPERATOR_FAILED when it is no whole number of ms above 0 */
export function checkedGap(gapMs: unknown): number {
  if (typeof gapMs === 'number' && Number.isSafeInteger(gapMs) && gapMs > 0) return gapMs;
  const given = typeof gapMs === 'number' ? String(gapMs) : typeof gapMs;
  throw new MillraceError(
    'MR_OPERATOR_FAILED',
    `The session gap of a record must be a whole number of ms above 0, the gap function gave ${given}.`,
  );
}
