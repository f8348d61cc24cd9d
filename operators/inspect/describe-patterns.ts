import type { DescribeGroup } from '#engine';
import type { PatternGroup } from '../pattern/pattern-snapshot.ts';
import { entriesByKey } from './entries-by-key.ts';

/** One event of a partial match. */
interface CapturedView {
  readonly step: string;
  readonly time: number;
  readonly row: unknown;
}

/**
 * Records that wait for the watermark, partial matches, and matches that are held back until it is known that no better one comes.
 * @param steps names of the pattern's steps, and the shape that the stored state must have for them to fit; null when nobody knows
 */
export function describePatterns(
  pattern: { readonly steps: readonly { readonly name: string }[]; readonly shape: string } | null,
): DescribeGroup {
  return (group) => {
    const { buffered, events, captures, runs, held, shape } = group as PatternGroup;
    const steps = pattern?.shape === shape ? pattern.steps : [];
    const chain = (last: number): readonly CapturedView[] => {
      const views: CapturedView[] = [];
      for (let at = last; at >= 0; at = captures.previous[at] as number) {
        const event = captures.event[at] as number;
        const step = captures.step[at] as number;
        const name = steps[step]?.name ?? `step ${step}`;
        views.push({ step: name, time: events.time[event] as number, row: events.row[event] });
      }
      return views.reverse();
    };
    const [bufferedOf, runsOf, heldOf] = [buffered, runs, held].map(({ key }) => entriesByKey(key));
    return (key) => ({
      buffered: bufferedOf?.(key).map((place) => ({ time: buffered.time[place], row: buffered.row[place] })),
      partialMatches: runsOf?.(key).map((place) => ({
        events: chain(runs.capture[place] as number),
        live: runs.live[place],
      })),
      heldMatches: heldOf?.(key).map((place) => chain(held.capture[place] as number)),
    });
  };
}
