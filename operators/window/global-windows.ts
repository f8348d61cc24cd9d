import { positive, purging, onCount, type Trigger } from './trigger.ts';

/**
 * One window for all records of a key, without an end. It gives nothing unless a trigger says so, and it never goes away by itself:
 * every key keeps what its trigger does not purge.
 */
export interface GlobalWindows {
  readonly kind: 'global';
  /** The trigger unless the job names another; null = none, and no results. */
  readonly trigger: Trigger<unknown> | null;
  /** Before each result all but the last so many elements are dropped; null = all are kept. */
  readonly keepLast: number | null;
}

/** All records of a key in one window; say when it gives a result by a trigger. */
export function global(): GlobalWindows {
  return { kind: 'global', trigger: null, keepLast: null };
}

/**
 * Windows of `size` records per key: one result for each `size` records, which are then forgotten. With `slide`: a result after every
 * `slide` records, of the last `size` (of fewer at the beginning). Records that no result has shown yet when a bounded input ends are
 * not shown.
 * @throws MR_CONFIG_INVALID when `size` or `slide` is no whole number above 0
 */
export function countWindow(size: number, slide?: number): GlobalWindows {
  positive(size, 'countWindow size');
  if (slide === undefined) return { kind: 'global', trigger: purging(onCount(size)), keepLast: null };
  return { kind: 'global', trigger: onCount(positive(slide, 'countWindow slide')), keepLast: size };
}
