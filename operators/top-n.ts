import { type Duration, durationMs, MillraceError, type Operator, type OperatorDefinition } from '#engine';
import { describeTops } from './inspect/describe-values.ts';
import { TopNOperator, type TopNSpec } from './top-n/top-n-operator.ts';
import type { TimeWindow, TumblingWindows } from './window/assigner.ts';

/** Rows of a ranking at most. */
const N_MAX = 1_000;
const IDS_MAX = 10_000;

/** Names of a record's number fields. */
export type NumberField<T> = {
  [F in keyof T & string]: T[F] extends number | null | undefined ? F : never;
}[keyof T & string];

export interface TopNOptions<T> {
  /** Rows of a ranking: 1 to 1,000. */
  readonly n: number;
  /** What to rank by: a number field, or a function. Records whose score is no number, or NaN, are not ranked. */
  readonly by: NumberField<T> | ((record: T) => number | null | undefined);
  /** Which scores come first. Default `'desc'`: the highest. */
  readonly order?: 'desc' | 'asc';
  /**
   * Identifies what is ranked (a string, number or boolean): each id stands in the ranking once, with its newest record by event time,
   * better or worse than the one before. Default: each record stands for itself.
   */
  readonly id?: (keyof T & string) | ((record: T) => unknown);
  /** With `id`: ids kept per key (and window). The ranking is exact up to that many. Default 10,000, at least `n`. */
  readonly idsMax?: number;
  /** Rank within windows; a key's ranking is given when its window ends. Default: one ranking for ever, given whenever it changes. */
  readonly windows?: TumblingWindows;
  /** How long after its end a window takes late records; each that changes a ranking gives it again. Default 0. */
  readonly allowedLateness?: Duration;
}

/** A key's ranking in one window, best first, at the window's last millisecond. */
export interface WindowTop<K, T> {
  readonly key: K;
  readonly window: TimeWindow;
  readonly top: readonly T[];
}

/** A key's ranking, best first, at the time of the record that changed it. */
export interface RunningTop<K, T> {
  readonly key: K;
  readonly top: readonly T[];
}

/**
 * Ranks the records of each key: {@link WindowTop} per window, or {@link RunningTop} with each change. Ties go to the earlier
 * event time, then to the earlier arrival. Windowed, records of closed windows go to the side output `late`.
 *
 * @throws MR_CONFIG_INVALID for options out of range
 */
export function topN<T>(options: TopNOptions<T>): OperatorDefinition<Operator> {
  const { n, by, order = 'desc', id, windows } = options;
  inRange(n, 1, N_MAX, 'n');
  if (order !== 'desc' && order !== 'asc')
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The order of topN is 'desc' or 'asc', got '${String(order)}'.`,
    );
  const idsMax = options.idsMax ?? Math.max(n, IDS_MAX);
  inRange(idsMax, n, 10_000_000, 'idsMax');
  const allowedLatenessMs = durationMs(options.allowedLateness ?? 0, 'allowed lateness of topN');
  if (windows === undefined && allowedLatenessMs > 0)
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      'topN has an allowed lateness but no windows. Give it windows.',
    );
  const spec: TopNSpec = {
    n,
    by: by as TopNSpec['by'],
    order,
    id: id === undefined ? null : (id as NonNullable<TopNSpec['id']>),
    idsMax,
    windows: windows ?? null,
    allowedLatenessMs,
  };
  return {
    kind: windows === undefined ? 'top-n' : 'window-top-n',
    sides: windows === undefined ? [] : ['late'],
    create: (context) => new TopNOperator(spec, context),
    describeGroup: describeTops,
  };
}

function inRange(value: number, min: number, max: number, what: string): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `${what} of topN must be from ${min} to ${max}, got ${value}.`,
  );
}
