import type { PlanCondition } from '../../../operators/pattern/condition.ts';
import type { NotPlan, PatternPlan, SkipPlan, StepPlan } from '../../../operators/pattern/pattern-plan.ts';

/** One event of a key. */
interface Event {
  readonly row: unknown;
  readonly time: number;
}

/** Events, by their indices, each with the step that captured it. */
type Choice = readonly { readonly event: number; readonly step: number }[];

interface FoundMatch {
  readonly choice: Choice;
  /** Index of the event that completed it, or that its timeout comes before. */
  readonly at: number;
  readonly isTimeout: boolean;
  readonly time: number;
}

/**
 * All matches of a pattern over one key's events in order, by definition: every choice of events and steps is made, and kept
 * when each neighbour in it is allowed by the events between. Exponential; nothing is carried from event to event.
 */
export class PatternReference {
  readonly #steps: readonly StepPlan[];
  readonly #gaps: readonly (readonly NotPlan[])[];
  readonly #events: readonly Event[];
  readonly #within: number;
  readonly #skip: SkipPlan;
  readonly #choices: readonly Choice[];

  constructor(plan: PatternPlan, events: readonly Event[]) {
    this.#steps = plan.parts.filter((part) => part.kind === 'step');
    this.#gaps = this.#steps.map((step) => {
      const after = plan.parts.slice(plan.parts.indexOf(step) + 1);
      const end = after.findIndex((part) => part.kind === 'step');
      return after.slice(0, end < 0 ? after.length : end).filter((part) => part.kind === 'not');
    });
    this.#events = events;
    this.#within = plan.withinMs ?? Number.POSITIVE_INFINITY;
    this.#skip = plan.skip;
    this.#choices = this.#chooseAll([]);
  }

  /** Matches that the skip strategy leaves, in the order they are given. */
  given(): { readonly captures: Record<string, unknown>; readonly time: number }[] {
    const found = this.#choices.flatMap((choice) => this.#matchOf(choice) ?? []);
    const skips = this.#skip.kind !== 'none';
    const ordered = found.toSorted((x, y) => (skips ? startOf(x) - startOf(y) : 0) || byCompletion(x, y));
    const given: FoundMatch[] = [];
    for (const match of ordered)
      if (given.every((earlier) => startOf(match) >= this.#keptFrom(earlier))) given.push(match);
    return given.map(({ choice, time }) => ({ captures: this.#capturesOf(choice), time }));
  }

  /** Partial matches that reach the end of their time with a way on, and are no matches; skipping left aside. */
  timedOut(): { readonly captures: Record<string, unknown>; readonly time: number }[] {
    if (this.#within === Number.POSITIVE_INFINITY) return [];
    return this.#choices
      .filter((choice) => {
        const nots = this.#notsToEnd(choice);
        const match = this.#matchOf(choice);
        if (nots?.length === 0 || match?.isTimeout) return false;
        const after = this.#firstAfter(choice);
        const awaitsNext = isNextOnly(nots) && this.#lastOf(choice).event + 1 === after;
        return awaitsNext || this.#steps.some((_, step) => this.#isOpen(choice, step, after, after));
      })
      .map((choice) => ({ captures: this.#capturesOf(choice), time: this.#timeout(choice) }));
  }

  #chooseAll(choice: Choice): Choice[] {
    const found: Choice[] = choice.length === 0 ? [] : [choice];
    for (let event = (choice.at(-1)?.event ?? -1) + 1; event < this.#events.length; event++)
      for (const step of this.#steps.keys())
        if (this.#takes(choice, event, step)) found.push(...this.#chooseAll([...choice, { event, step }]));
    return found;
  }

  #matchOf(choice: Choice): FoundMatch | null {
    const nots = this.#notsToEnd(choice);
    const last = this.#lastOf(choice).event;
    if (nots === null) return null;
    if (nots.length === 0) return { choice, at: last, isTimeout: false, time: this.#timeAt(last) };
    const after = this.#firstAfter(choice);
    const end = this.#steps.length;
    if (isNextOnly(nots)) {
      const isThere = last + 1 < after;
      if (!isThere || this.#isForbidden(choice, nots, last + 1)) return null;
      if (this.#isOverridden(choice, end, last + 2)) return null;
      return { choice, at: last + 1, isTimeout: false, time: this.#timeAt(last + 1) };
    }
    if (this.#isForbidden(choice, nots, after) || this.#isOverridden(choice, end, after)) return null;
    return { choice, at: after, isTimeout: true, time: this.#timeout(choice) };
  }

  /** Does `step` take this event next? */
  #takes(choice: Choice, event: number, step: number): boolean {
    if (!this.#fits(choice, event, step)) return false;
    if (choice.length > 0)
      return event < this.#firstAfter(choice) && this.#isOpen(choice, step, event, event + 1);
    const before = this.#steps.slice(0, step);
    return (
      before.every(({ optional }) => optional) &&
      !before.some(({ greedy }, s) => greedy && this.#takes(choice, event, s))
    );
  }

  /**
   * Do the events after the last one leave `step` a way to an event at `event`?
   * @param greedyBefore events before this index may have been taken by a greedy step instead
   */
  #isOpen(choice: Choice, step: number, event: number, greedyBefore: number): boolean {
    const { event: last, step: from } = this.#lastOf(choice);
    const count = this.#countOf(choice);
    const source = this.#steps[from] as StepPlan;
    const target = this.#steps[step] as StepPlan;
    const loops = step === from;
    if (step < from || (loops ? count >= source.max : count < source.min)) return false;
    if (!this.#steps.slice(from + 1, step).every(({ optional }) => optional)) return false;
    const between = range(last + 1, event);
    const contiguity = loops ? target.inner : target.contiguity;
    if (contiguity === 'strict' && between.length > 0) return false;
    if (contiguity === 'relaxed' && between.some((it) => this.#fits(choice, it, step))) return false;
    const nots = loops
      ? (this.#gaps[from] ?? []).filter((not) => not.contiguity === 'relaxed')
      : this.#notsTo(choice, step);
    if (this.#isForbidden(choice, nots, event)) return false;
    if (loops && between.some((it) => this.#holds(target.until, choice, it, step))) return false;
    return !this.#isOverridden(choice, step, greedyBefore);
  }

  /** Is there an event before this index that a greedy step before `step` takes? */
  #isOverridden(choice: Choice, step: number, before: number): boolean {
    const { event: last, step: from } = this.#lastOf(choice);
    return range(last + 1, Math.min(before, this.#events.length)).some((event) =>
      range(from, step).some((s) => this.#steps[s]?.greedy === true && this.#takes(choice, event, s)),
    );
  }

  /** Is what must not come between the last event and this one; for notNext, this one included? */
  #isForbidden(choice: Choice, nots: readonly NotPlan[], event: number): boolean {
    const next = this.#lastOf(choice).event + 1;
    const isEvent = next < this.#firstAfter(choice);
    return nots.some(({ contiguity, condition }) =>
      (contiguity === 'strict' ? (isEvent ? [next] : []) : range(next, event)).some((it) =>
        this.#holds(condition, choice, it, -1),
      ),
    );
  }

  #fits(choice: Choice, event: number, step: number): boolean {
    const { condition, until } = this.#steps[step] as StepPlan;
    return this.#holds(condition, choice, event, step) && !this.#holds(until, choice, event, step);
  }

  #holds(condition: PlanCondition | null, choice: Choice, event: number, step: number): boolean {
    if (condition === null) return false;
    const { row, time } = this.#events[event] as Event;
    const taken = choice.filter((it) => it.step === step).map((it) => this.#events[it.event]?.row);
    return condition(row, { captures: this.#capturesOf(choice), taken, timestamp: time });
  }

  #notsTo(choice: Choice, step: number): readonly NotPlan[] {
    return this.#gaps.slice(this.#lastOf(choice).step, step).flat();
  }

  /** What must not come for the choice to be a match as it is; null when it is none. */
  #notsToEnd(choice: Choice): readonly NotPlan[] | null {
    const { step } = this.#lastOf(choice);
    const isEnough = this.#countOf(choice) >= (this.#steps[step] as StepPlan).min;
    const rest = this.#steps.slice(step + 1);
    return isEnough && rest.every(({ optional }) => optional)
      ? this.#notsTo(choice, this.#steps.length)
      : null;
  }

  /** Index of the first event that comes too late for the choice. */
  #firstAfter(choice: Choice): number {
    const index = this.#events.findIndex(({ time }) => time >= this.#timeout(choice));
    return index < 0 ? this.#events.length : index;
  }

  #timeout(choice: Choice): number {
    return this.#timeAt(choice[0]?.event as number) + this.#within;
  }

  #timeAt(event: number): number {
    return (this.#events[event] as Event).time;
  }

  #lastOf(choice: Choice): Choice[number] {
    return choice.at(-1) as Choice[number];
  }

  #countOf(choice: Choice): number {
    return choice.filter(({ step }) => step === this.#lastOf(choice).step).length;
  }

  #capturesOf(choice: Choice): Record<string, unknown> {
    return Object.fromEntries(
      this.#steps.map(({ name, loops }, s) => {
        const rows = choice.filter(({ step }) => step === s).map(({ event }) => this.#events[event]?.row);
        return [name, loops ? rows : rows[0]];
      }),
    );
  }

  /** Matches that begin before this event are ended by a given one. */
  #keptFrom({ choice }: FoundMatch): number {
    const skip = this.#skip;
    switch (skip.kind) {
      case 'none':
        return 0;
      case 'next':
        return (choice[0]?.event as number) + 1;
      case 'past-last':
        return this.#lastOf(choice).event + 1;
      case 'first':
      case 'last': {
        const named = choice.filter(({ step }) => this.#steps[step]?.name === skip.step);
        return named.at(skip.kind === 'first' ? 0 : -1)?.event ?? 0;
      }
    }
  }
}

/** Only notNext: the next event completes the match. */
function isNextOnly(nots: readonly NotPlan[] | null): boolean {
  return nots !== null && nots.length > 0 && nots.every(({ contiguity }) => contiguity === 'strict');
}

function startOf({ choice }: FoundMatch): number {
  return choice[0]?.event as number;
}

/** By when they are complete; of one moment, those that took the earlier events first, then those of earlier steps. */
function byCompletion(x: FoundMatch, y: FoundMatch): number {
  const moment = x.at - y.at || Number(y.isTimeout) - Number(x.isTimeout) || x.time - y.time;
  return moment || startOf(x) - startOf(y) || byEvents(x.choice, y.choice);
}

function byEvents(x: Choice, y: Choice): number {
  for (const [i, a] of x.entries()) {
    const b = y[i];
    if (b === undefined) return -1;
    if (a.event !== b.event || a.step !== b.step) return a.event - b.event || a.step - b.step;
  }
  return 1;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
