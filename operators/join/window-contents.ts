import { MillraceError } from '#engine';
import type { SlidingWindows, TimeWindow, TumblingWindows } from '../window/assigner.ts';
import type { SessionWindows } from '../window/session-assigner.ts';
import type { Side } from './two-input-operator.ts';

/** The windows that two streams can share. A session grows by the records of both. */
export type JoinWindows<Row = unknown> = TumblingWindows | SlidingWindows | SessionWindows<Row>;

/** Some of a window's records, left ones and right ones, as they came. */
export type Part = readonly [lefts: unknown[], rights: unknown[]];

/**
 * The records of one key in one window. `given` holds those whose results have left: one part per window that has closed
 * before it was merged into this one. `fresh` holds the others; null when there are none.
 */
export interface WindowContents extends TimeWindow {
  start: number;
  end: number;
  fresh: Part | null;
  given: Part[];
}

/** Opens a window, or adds to one, for a record whose results are still to come. */
export function putRow(contents: WindowContents, side: Side, row: unknown): void {
  contents.fresh ??= [[], []];
  contents.fresh[side].push(row);
}

/** Notes that all results have left: the parts become one. */
export function markGiven(contents: WindowContents): void {
  const [first, ...rest] = contents.fresh === null ? contents.given : [...contents.given, contents.fresh];
  if (first === undefined) return;
  for (const part of rest) append(first, part);
  contents.given = [first];
  contents.fresh = null;
}

/** Merges what `other` holds into `contents`. */
export function absorb(contents: WindowContents, other: WindowContents): void {
  contents.start = Math.min(contents.start, other.start);
  contents.end = Math.max(contents.end, other.end);
  contents.given.push(...other.given);
  if (contents.fresh === null) contents.fresh = other.fresh;
  else if (other.fresh !== null) append(contents.fresh, other.fresh);
}

function append(part: Part, other: Part): void {
  for (const side of [0, 1] as const) for (const row of other[side]) part[side].push(row);
}

/** The windows of one key group's keys as stored, and what windows they are. */
export interface WindowsBody {
  readonly windows: string;
  readonly contents: StoredContents[];
}

interface StoredContents {
  readonly key: number;
  readonly start: number;
  readonly end: number;
  readonly fresh: Part | null;
  readonly given: readonly Part[];
}

export function emptyWindows(windows: string): WindowsBody {
  return { windows, contents: [] };
}

/** Adds the windows of the key with the number `key`, copied; false when there are none. Rows are records, which nobody changes. */
export function storeWindows(
  { contents }: WindowsBody,
  key: number,
  windows: readonly WindowContents[],
): boolean {
  for (const { start, end, fresh, given } of windows) {
    const copy = fresh === null ? null : copyOf(fresh);
    contents.push({ key, start, end, fresh: copy, given: given.map(copyOf) });
  }
  return windows.length > 0;
}

/** @throws MR_STATE_INCOMPATIBLE when the group was stored by a job with other windows */
export function restoreWindows(
  group: WindowsBody,
  windows: string,
  operator: string,
  add: (key: number, contents: WindowContents) => void,
): void {
  if (group.windows !== windows) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Operator '${operator}' has stored records of ${group.windows}, the job asks for ${windows}. Give the operator a new id to start it afresh.`,
      { details: { operator } },
    );
  }
  for (const { key, start, end, fresh, given } of group.contents)
    add(key, { start, end, fresh, given: [...given] });
}

function copyOf([lefts, rights]: Part): Part {
  return [[...lefts], [...rights]];
}
