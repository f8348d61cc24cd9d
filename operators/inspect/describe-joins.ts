import type { DescribeGroup } from '#engine';
import type { IntervalBody } from '../join/interval-join.ts';
import type { StoredRows } from '../join/stored-rows.ts';
import type { TemporalBody } from '../join/temporal-join.ts';
import type { Part, WindowsBody } from '../join/window-contents.ts';
import { entriesByKey } from './entries-by-key.ts';

/** Rows that wait for a partner, by time. */
interface RowsView {
  readonly count: number;
  readonly rows: readonly unknown[];
}

/** Both sides' buffers; of outer joins with whether a row has found a partner. */
export const describeIntervalJoin: DescribeGroup = (group) => {
  const { sides, outer } = group as IntervalBody;
  const [left, right] = sides.map((side, i) => rowsOf(side, outer[i] ? 'matched' : null));
  return (key) => ({ left: left?.(key), right: right?.(key) });
};

/** Facts that wait for the watermark, versions that are kept, and when one was last used. */
export const describeTemporalJoin: DescribeGroup = (group) => {
  const { facts, versions, usedAt } = group as TemporalBody;
  const factsOf = rowsOf(facts, null);
  const versionsOf = rowsOf(versions, 'deleted');
  return (key) => ({ facts: factsOf(key), versions: versionsOf(key), usedAt: usedAt[key] ?? null });
};

/** Windows of window joins and co-groups: records whose results are still to come, and those whose results have left. */
export const describeJoinWindows: DescribeGroup = (group) => {
  const { contents } = group as WindowsBody;
  const of = entriesByKey(contents.map(({ key }) => key));
  return (key) => ({
    windows: of(key)
      .map((place) => {
        const { start, end, fresh, given } = contents[place] as (typeof contents)[number];
        return { start, end, fresh: fresh === null ? null : partView(fresh), given: given.map(partView) };
      })
      .sort((a, b) => a.start - b.start),
  });
};

function partView([left, right]: Part): { readonly left: RowsView; readonly right: RowsView } {
  return { left: { count: left.length, rows: left }, right: { count: right.length, rows: right } };
}

/** @param flag what a row's flag says; null when it says nothing */
function rowsOf(
  { key: keys, times, rows, flags }: StoredRows,
  flag: string | null,
): (key: number) => RowsView {
  const of = entriesByKey(keys);
  return (key) => {
    const places = of(key);
    return {
      count: places.length,
      rows: places.map((place) => ({
        time: times[place],
        row: rows[place],
        ...(flag === null ? {} : { [flag]: flags[place] === 1 }),
      })),
    };
  };
}
