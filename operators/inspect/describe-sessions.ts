import type { DescribeGroup } from '#engine';
import type { CellAccumulatorState } from '../window/mergeable-fold.ts';
import type { SessionGroup } from '../window/session-snapshot.ts';
import { type Aggregates, contentsView } from './describe-windows.ts';
import { entriesByKey } from './entries-by-key.ts';

/** Open sessions of a key, by start. @param aggregates of the job; null when nobody knows */
export function describeSessions(aggregates: Aggregates | null): DescribeGroup {
  return (group) => {
    const { key: keys, start, end, rows } = group as SessionGroup;
    const of = entriesByKey(keys);
    const session = (place: number) => {
      const at = (columns: Readonly<Record<string, ArrayLike<unknown>>>) =>
        Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[place]]));
      const state = { cells: at(rows.cells), objects: at(rows.objects) } as CellAccumulatorState;
      const accumulator = rows.accumulators === null ? null : { of: rows.accumulators[place] };
      return {
        start: start[place] as number,
        end: end[place] as number,
        ...contentsView(state, accumulator, aggregates),
      };
    };
    return (key) => ({
      sessions: of(key)
        .map(session)
        .sort((a, b) => a.start - b.start),
    });
  };
}
