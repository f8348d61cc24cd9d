import { type DescribeGroup, valueReader } from '#engine';
import type { SeenBody } from '../distinct/distinct-operator.ts';
import type { ReduceBody } from '../reduce.ts';
import type { TopBody } from '../top-n/top-n-snapshot.ts';
import { entriesByKey } from './entries-by-key.ts';

/** What `reduce` has made of a key's records. */
export const describeReduce: DescribeGroup = (group) => {
  const valueOf = valueReader((group as ReduceBody).values);
  return (key) => ({ value: valueOf(key) });
};

/** What has been seen of a key, and until when that counts; `until` is null when it has no end. */
export const describeDistinct: DescribeGroup = (group) => {
  const { key: keys, value, expiry, isByValue, time } = group as SeenBody;
  const of = entriesByKey(keys);
  return (key) => ({
    time,
    seen: of(key).map((place) => ({
      ...(isByValue ? { value: value[place] } : {}),
      until: Number.isFinite(expiry[place]) ? (expiry[place] as number) : null,
    })),
  });
};

/** Rankings of a key, best first; `window` is null in a running one. */
export const describeTops: DescribeGroup = (group) => {
  const { panes, shape } = group as TopBody;
  // Stored so that the lowest comes first.
  const scoreOf = (stored: number | undefined) => (shape.order === 'desc' ? 0 - (stored as number) : stored);
  const of = panes.map((pane) => {
    const lines = entriesByKey(pane.lines.map(({ key }) => key));
    const starts: number[] = [];
    pane.lines.reduce((at, { count }) => {
      starts.push(at);
      return at + count;
    }, 0);
    const entry = (at: number) => ({
      score: scoreOf(pane.scores[at]),
      time: pane.times[at],
      row: pane.rows[at],
    });
    return (key: number) =>
      lines(key).map((line) => {
        const from = starts[line] as number;
        const { count } = pane.lines[line] as (typeof pane.lines)[number];
        return { window: pane.window, entries: Array.from({ length: count }, (_, i) => entry(from + i)) };
      });
  });
  return (key) => ({
    rankings: of.flatMap((pane) => pane(key)).sort((a, b) => (a.window?.start ?? 0) - (b.window?.start ?? 0)),
  });
};
