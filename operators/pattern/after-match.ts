import type { Capture } from './captures.ts';
import type { Run } from './matcher.ts';
import type { SkipPlan, StepPlan } from './pattern-plan.ts';

/** What a skip strategy has decided. */
export interface Settled {
  /** Matches to give, in order. */
  readonly given: readonly Capture[];
  /** Matches that wait, and partial matches, without those that a given one ended. */
  readonly held: readonly Capture[];
  readonly runs: readonly Run[];
}

/**
 * Applies an after-match skip strategy as Flink does:
 *
 * SK1 a match is given once no partial match with an earlier first event is left, because that could yet end it; until then it is held.
 * SK2 so matches are given in order of their first events; of those with the same first event, the one that completed first.
 * SK3 a given match ends held and partial matches by their first event only.
 *
 * @param held in order of first events, those that complete later behind; with the matches just completed at its end
 * @param runs in order of first events
 */
export function settle(
  skip: SkipPlan,
  steps: readonly StepPlan[],
  held: readonly Capture[],
  runs: readonly Run[],
): Settled {
  let waiting = held.toSorted((a, b) => a.start.order - b.start.order);
  let alive = runs;
  const given: Capture[] = [];
  for (let match = waiting[0]; match !== undefined; match = waiting[0]) {
    const earliest = alive[0];
    if (earliest !== undefined && earliest.last.start.order < match.start.order) break;
    given.push(match);
    const from = firstOrderKept(skip, steps, match);
    waiting = waiting.slice(1).filter(({ start }) => start.order >= from);
    alive = alive.filter(({ last }) => last.start.order >= from);
  }
  return { given, held: waiting, runs: alive };
}

/** Matches that begin with an event of a lower order end. */
function firstOrderKept(skip: SkipPlan, steps: readonly StepPlan[], match: Capture): number {
  switch (skip.kind) {
    case 'none':
      return Number.NEGATIVE_INFINITY;
    case 'next':
      return match.start.order + 1;
    case 'past-last':
      return match.event.order + 1;
    case 'first':
    case 'last':
      return orderOf(skip, steps, match);
  }
}

function orderOf(
  skip: { readonly kind: 'first' | 'last'; readonly step: string },
  steps: readonly StepPlan[],
  match: Capture,
): number {
  let order = Number.NEGATIVE_INFINITY;
  for (let at: Capture | null = match; at !== null; at = at.previous) {
    if (steps[at.step]?.name !== skip.step) continue;
    order = at.event.order;
    if (skip.kind === 'last') break;
  }
  return order;
}
