import { type Automaton, type Edge, END, FRESH, NONE, type State } from './automaton.ts';
import { capture, type Capture, type CapturedEvent, capturesOf, chain } from './captures.ts';
import type { ConditionContext } from './condition.ts';

/** A partial match: what it has, and the edges from there that are still open. Immutable. */
export interface Run {
  readonly last: Capture;
  /** Bits of open edges of the last event's state, and FRESH. */
  readonly live: number;
}

/**
 * Takes the partial matches of one key from event to event. Instead of one state per way to wait (as an NFA with ignore and
 * proceed edges has), a run keeps the set of its open edges: runs are equal to capture sequences, so none is there twice.
 *
 * MA1 nothing is changed while user code runs: a throwing condition leaves the runs as they were.
 * MA2 runs are in order of their first events; of two that began with one event, the one that took an event comes before the
 *     one that passed it over, and an earlier edge before a later one. Matches that complete together come in the same order.
 * MA3 an edge takes an event before what must not come closes it: `notFollowedBy` forbids events *between* two steps.
 */
export class Matcher {
  readonly automaton: Automaton;
  readonly #view: View;
  /** By condition number, `±#asking`: yes or no for the current event, where the captures were not looked at. Others: not asked. */
  readonly #answers: Float64Array;
  /** Number of the current event, from 1. */
  #asking = 0;
  #order = 0;
  #row: unknown = null;
  #time = 0;
  /** The current event, made when the first run takes it. */
  #event: CapturedEvent | null = null;
  #next: Run[] = [];
  #completed: Capture[] = [];

  constructor(automaton: Automaton) {
    this.automaton = automaton;
    this.#view = new View(automaton);
    this.#answers = new Float64Array(automaton.conditions.length);
  }

  /** An event that is known to be captured; in order of the calls. */
  event(row: unknown, time: number): CapturedEvent {
    return { row, time, order: this.#order++ };
  }

  /** Adds the runs after this event to `next` and the matches that it completes to `completed`. @throws what a condition throws */
  advance(runs: readonly Run[], row: unknown, time: number, next: Run[], completed: Capture[]): void {
    this.#row = row;
    this.#time = time;
    this.#event = null;
    this.#next = next;
    this.#completed = completed;
    this.#asking++;
    for (const run of runs) this.#pass(run);
    for (const edge of this.automaton.start) {
      if (!this.#takes(edge, null)) continue;
      this.#take(edge.target, null);
      if (edge.overrides !== 0) return;
    }
  }

  /** True when the partial match is a match. */
  isComplete(last: Capture): boolean {
    const state = this.#stateOf(last);
    return state.completes && last.count >= state.min;
  }

  /** True when the partial match becomes a match by the end of its time. */
  matchesAtTimeout(run: Run): boolean {
    return (run.live & this.#stateOf(run.last).timeoutBit) !== 0;
  }

  #stateOf(last: Capture): State {
    return this.automaton.states[last.step] as State;
  }

  #pass(run: Run): void {
    const { last } = run;
    const isFresh = (run.live & FRESH) !== 0;
    let live = run.live & ~FRESH;
    for (const edge of this.#stateOf(last).edges) {
      if ((live & edge.bit) === 0) continue;
      if (isFresh && this.#any(edge.notNexts, last)) {
        live &= ~edge.bit;
        continue;
      }
      const takes = this.#takes(edge, last);
      if (takes) {
        this.#take(edge.target, last);
        live &= ~edge.overrides;
      }
      if (this.#closes(edge, takes, last)) live &= ~edge.bit;
    }
    if (live === run.live) this.#next.push(run);
    else if (live !== 0) this.#next.push({ last, live });
  }

  #takes(edge: Edge, last: Capture | null): boolean {
    if (edge.target === END) return edge.contiguity === 'strict';
    if (!this.#holds(edge.condition, last, edge.target)) return false;
    return edge.until === NONE || !this.#holds(edge.until, last, edge.target);
  }

  /** True when the edge is not there any more for the next event. */
  #closes(edge: Edge, takes: boolean, last: Capture): boolean {
    if (edge.contiguity === 'strict' || (takes && edge.contiguity === 'relaxed')) return true;
    if (this.#any(edge.nots, last)) return true;
    return edge.loops && edge.until !== NONE && this.#holds(edge.until, last, edge.target);
  }

  #take(target: number, previous: Capture | null): void {
    if (target === END) {
      this.#completed.push(previous as Capture);
      return;
    }
    this.#event ??= this.event(this.#row, this.#time);
    const last = capture(this.#event, target, previous);
    const state = this.#stateOf(last);
    const live =
      (last.count < state.max ? state.loopBit : 0) | (last.count >= state.min ? state.exitBits : 0);
    if (live !== 0) this.#next.push({ last, live: live | FRESH });
    if (state.completes && last.count >= state.min) this.#completed.push(last);
  }

  #any(conditions: readonly number[], last: Capture): boolean {
    for (const condition of conditions) if (this.#holds(condition, last, NONE)) return true;
    return false;
  }

  #holds(condition: number, last: Capture | null, step: number): boolean {
    const known = this.#answers[condition];
    if (known === this.#asking) return true;
    if (known === -this.#asking) return false;
    const view = this.#view;
    view.at(last, step, this.#time);
    const holds = Boolean(this.automaton.conditions[condition]?.(this.#row, view));
    if (!view.isRead) this.#answers[condition] = holds ? this.#asking : -this.#asking;
    return holds;
  }
}

/** The context of a condition: captures are gathered when it asks for them, once per partial match. */
class View implements ConditionContext {
  readonly #automaton: Automaton;
  #last: Capture | null = null;
  #step = NONE;
  #captures: Record<string, unknown> | null = null;
  timestamp = 0;
  /** The condition has looked at the partial match, so that its answer holds for no other. */
  isRead = false;

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
  }

  at(last: Capture | null, step: number, time: number): void {
    if (last !== this.#last) this.#captures = null;
    this.#last = last;
    this.#step = step;
    this.timestamp = time;
    this.isRead = false;
  }

  get captures(): Record<string, unknown> {
    this.isRead = true;
    this.#captures ??= capturesOf(this.#automaton.steps, this.#last);
    return this.#captures;
  }

  get taken(): readonly unknown[] {
    this.isRead = true;
    return chain(this.#last).flatMap(({ step, event }) => (step === this.#step ? [event.row] : []));
  }
}
