import type { Duration } from '#engine';
import type { Condition, Guard } from './condition.ts';
import { buildPattern } from './pattern-builder.ts';
import type { PatternPlan } from './pattern-plan.ts';

/**
 * Begins a pattern over the events of one key: what follows what, how often, what must not come between, in which time.
 *
 * A **match** is a choice of events, in event-time order, that satisfies every step; all of them are found, in all ways,
 * unless a skip strategy ends some. The value is immutable: each call gives a new pattern.
 * @example
 * const abandoned = pattern<ShopEvent>()
 *   .start('cart', (e) => e.kind === 'add')
 *   .followedBy('more', (e, { captures }) => e.kind === 'add' && e.sku !== captures.cart.sku).oneOrMore().optional()
 *   .notFollowedBy('pay', (e) => e.kind === 'pay')
 *   .within('30m');
 */
export const pattern = <T>(): PatternStart<T> => buildPattern() as unknown as PatternStart<T>;

/** The first word of a pattern. */
export interface PatternStart<T> {
  /** The first step: each event that fits begins a match of its own. */
  readonly start: AddStep<T, unknown>;
  /** The same. */
  readonly begin: AddStep<T, unknown>;
}

/** A whole pattern over events `T`; its matches have the captures `C`. */
export interface Pattern<in T, C> {
  readonly plan: PatternPlan;
  /**
   * The last event must come less than this after the first. A partial match that is older has timed out; a `notFollowedBy`
   * at the end matches then.
   * @throws MR_CONFIG_INVALID for no duration, or zero
   */
  readonly within: (duration: Duration) => Pattern<T, C>;
  /** After a match nothing is skipped: every match is given. The default. */
  readonly noSkip: () => Pattern<T, C>;
  /** A match ends all others that begin with the same event. */
  readonly skipToNext: () => Pattern<T, C>;
  /** A match ends all others that begin with one of its events or between them: matches do not overlap. */
  readonly skipPastLast: () => Pattern<T, C>;
  /** A match ends all others that began before the first event of this step; none where the match has no such event. */
  readonly skipToFirst: (step: keyof C & string) => Pattern<T, C>;
  /** The same for the last event of this step. */
  readonly skipToLast: (step: keyof C & string) => Pattern<T, C>;
  readonly phantom?: (event: T) => C;
}

/** A pattern that may go on. */
export interface OpenPattern<T, C> extends Pattern<T, C> {
  /** The very next event of the key must fit (strict contiguity). */
  readonly next: AddStep<T, C>;
  /** The next event that fits, whatever lies between (relaxed contiguity). */
  readonly followedBy: AddStep<T, C>;
  /** Each later event that fits, in a match of its own (non-deterministic relaxed contiguity). */
  readonly followedByAny: AddStep<T, C>;
  /** The very next event must not fit. At the end of a pattern that next event completes the match. */
  readonly notNext: AddNot<T, C>;
  /**
   * No event that fits may come before the next step's event. At the end of a pattern: before `within` is over, when the match is
   * given. After a repeated step it counts from that step's first event on.
   */
  readonly notFollowedBy: AddNot<T, C>;
}

/** A step just named: it captures one event unless it is said to repeat. */
export interface Step<T, C, N extends string, S extends T> extends OpenPattern<T, Single<C, N, S>> {
  /** An event must fit this, too. */
  readonly where: {
    <U extends S>(is: (event: S, context: Parameters<Guard<T, T, C>>[1]) => event is U): Step<T, C, N, U>;
    (when: (event: S, context: Parameters<Condition<T, C>>[1]) => boolean): Step<T, C, N, S>;
  };
  /** An event may fit this instead. */
  readonly or: {
    <U extends T>(is: Guard<T, U, C>): Step<T, C, N, S | U>;
    (when: Condition<T, C>): Step<T, C, N, T>;
  };
  /** May be left out; the capture is undefined then. */
  readonly optional: () => OpenPattern<T, Single<C, N, S | undefined>>;
  /**
   * Exactly `min` events, or between `min` and `max`; 0 makes it optional.
   * @throws MR_CONFIG_INVALID unless whole numbers, 0 ≤ min ≤ max, 1 ≤ max
   */
  readonly times: (min: number, max?: number) => Loop<T, C, N, S>;
  /** At least `min` events. @throws MR_CONFIG_INVALID unless a whole number ≥ 0 */
  readonly timesOrMore: (min: number) => EndlessLoop<T, C, N, S>;
  readonly oneOrMore: () => EndlessLoop<T, C, N, S>;
}

/** A repeated step; it captures an array. Between its events contiguity is relaxed unless said otherwise. */
export interface Loop<T, C, N extends string, S extends T> extends OpenPattern<T, Repeated<C, N, S>> {
  /** May be left out; the capture is empty then. */
  readonly optional: () => this;
  /** An event that this step can take is not for a later step, nor passed over on the way to one. Not with `allowCombinations`. */
  readonly greedy: () => this;
  /** Its events must be neighbours. */
  readonly consecutive: () => this;
  /** Each later event that fits may be the step's next, in a match of its own. */
  readonly allowCombinations: () => this;
}

/** A repeated step without a greatest number. */
export interface EndlessLoop<T, C, N extends string, S extends T> extends Loop<T, C, N, S> {
  /** An event that fits ends the repetition and is not part of it. */
  readonly until: (when: Condition<T, C>) => this;
}

/** What must not come, just named. */
export interface NotStep<T, C> extends OpenPattern<T, C> {
  readonly where: (when: Condition<T, C>) => NotStep<T, C>;
  readonly or: (when: Condition<T, C>) => NotStep<T, C>;
}

/** Names are used once in a pattern. @throws MR_GRAPH_INVALID for a name that is taken or empty */
export interface AddStep<T, C> {
  <const N extends string, S extends T>(name: N & Fresh<N, C>, is: Guard<T, S, C>): Step<T, C, N, S>;
  <const N extends string>(name: N & Fresh<N, C>, when: Condition<T, C>): Step<T, C, N, T>;
}

export type AddNot<T, C> = <const N extends string>(
  name: N & Fresh<N, C>,
  when: Condition<T, C>,
) => NotStep<T, C>;

type Fresh<N extends string, C> = N extends keyof C ? { readonly nameIsTaken: N } : unknown;
type Single<C, N extends string, V> = { readonly [M in keyof C | N]: M extends keyof C ? C[M] : V };
type Repeated<C, N extends string, S> = Single<C, N, readonly S[]>;
