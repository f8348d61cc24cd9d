import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  LIMITS,
  type LoopWriter,
  MAX_WATERMARK,
  MIN_WATERMARK,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  plusSaturating,
  type Records,
  type RowEmitter,
  type RowLoop,
  type RowText,
  TimerQueue,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { describePatterns } from '../inspect/describe-patterns.ts';
import { recordLoop } from '../record-loop.ts';
import { NamedOutputs } from '../state/named-outputs.ts';
import { settle } from './after-match.ts';
import { type Automaton, compilePattern } from './automaton.ts';
import { type Capture, capturesOf, partialCapturesOf } from './captures.ts';
import { Matcher, type Run } from './matcher.ts';
import type { Pattern } from './pattern.ts';
import { restorePattern, snapshotPattern } from './pattern-snapshot.ts';
import { RecordBuffer } from './record-buffer.ts';

/** What is known of a match beside its events. */
export interface MatchContext<K> {
  readonly key: K;
  readonly times: MatchTimes;
}

/** Event times, epoch ms. */
export interface MatchTimes {
  /** Of the first captured event. */
  readonly first: number;
  /** Of the last captured event. */
  readonly last: number;
  /** Of the result. */
  readonly at: number;
}

/** A partial match whose time was over; the side output `timedOut` unless the spec says otherwise. */
export interface TimedOutMatch<K, C> {
  readonly key: K;
  /** Steps that captured something. */
  readonly captures: Partial<C>;
  /** Event time of its first event, epoch ms. */
  readonly start: number;
  /** `start` + within. */
  readonly end: number;
}

/** What pattern detection does with the matches of a pattern. */
export interface PatternMatchSpec<T, C, K, Out, Expired = TimedOutMatch<K, C>> {
  readonly pattern: Pattern<T, C>;
  /** Makes the result of a match; undefined gives none. */
  readonly select: (match: C, context: MatchContext<K>) => Out | undefined;
  /** The same for partial matches whose time is over. Default: {@link TimedOutMatch}. */
  readonly timedOut?: (partial: Partial<C>, context: MatchContext<K>) => Expired | undefined;
  /**
   * Partial matches of one key at most (default LIMITS.partialMatchesMax). An event that would make more counts as a record that
   * makes the operator throw. Say `within`, contiguity or a skip strategy that keeps a key below it.
   */
  readonly partialMatchesMax?: number;
}

/** Names of the side outputs: records that came too late, and partial matches whose time was over. */
const LATE = 'late';
const TIMED_OUT = 'timedOut';

/**
 * Finds a pattern among each key's events, in event time.
 * @throws MR_GRAPH_INVALID for a pattern that cannot be, MR_CONFIG_INVALID for a bound below 1
 */
export function patternMatch<T, C, K, Out, Expired = TimedOutMatch<K, C>>(
  spec: PatternMatchSpec<T, C, K, Out, Expired>,
): OperatorDefinition<Operator> {
  const automaton = compilePattern(spec.pattern.plan);
  const partialMatchesMax = spec.partialMatchesMax ?? LIMITS.partialMatchesMax;
  if (!Number.isSafeInteger(partialMatchesMax) || partialMatchesMax < 1)
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `partialMatchesMax must be a whole number ≥ 1, got ${partialMatchesMax}.`,
    );
  const use: PatternUse = {
    automaton,
    partialMatchesMax,
    select: spec.select as PatternUse['select'],
    timedOut: (spec.timedOut ?? timedOutMatch) as PatternUse['timedOut'],
  };
  return {
    kind: 'pattern-match',
    sides: [LATE, TIMED_OUT],
    create: (context) => new PatternOperator(use, context),
    describeGroup: describePatterns(automaton),
  };
}

/** A spec made ready, types erased. */
interface PatternUse {
  readonly automaton: Automaton;
  readonly partialMatchesMax: number;
  readonly select: (match: unknown, context: MatchContext<unknown>) => unknown;
  readonly timedOut: (partial: unknown, context: MatchContext<unknown>) => unknown;
}

/**
 * Runs a pattern per key. Owns the records before the watermark and each key's partial matches, indexed by the key's slot, which
 * a buffered record and a key's partial matches hold.
 *
 * PA1 records are processed in order of time, ties in order of arrival, when the watermark reaches them; a record at or below
 *     the watermark goes to `late` and into no match.
 * PA2 a partial match lives until first event + within. When event time reaches that, before an event of the same time is
 *     processed, it becomes a match (a `notFollowedBy` at the end), or goes to `timedOut` unless it is a match already.
 * PA3 a match has the time of the event or timeout that decided it. That is its last event's, except where the pattern ends
 *     with a `not…`, or a skip strategy had to wait for an earlier partial match (SK1). The last watermark decides all that wait.
 * PA4 a record that throws in a condition, or would exceed the bound, is as if it had not come; `select` and `timedOut` run
 *     after the state has moved on, and when they throw that one result is missing.
 * PA5 all that the watermark decides is given before it is handed on, in order of time; the watermark is part of the snapshot.
 */
class PatternOperator implements Operator {
  readonly #use: PatternUse;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #matcher: Matcher;
  readonly #buffer = new RecordBuffer();
  /** By slot; absent when there are none. Held matches exist beside an earlier run only (SK1). */
  readonly #runs: (readonly Run[] | undefined)[] = [];
  readonly #held: (readonly Capture[] | undefined)[] = [];
  /**
   * At most one useful timer per slot, at or before its earliest timeout: it is not moved when runs end early, but set again when it
   * fires. So there are never many more timers than keys, whatever the number of partial matches.
   */
  readonly #timers = new TimerQueue();
  readonly #armedAt: number[] = [];
  readonly #loop: RowLoop;
  readonly #outputs: NamedOutputs;
  #watermark = MIN_WATERMARK;
  #idle = false;
  #lateRecords = 0;
  /** Where the matcher puts what comes of one event; kept as the key's runs when there are any. */
  #next: Run[] = [];
  readonly #completed: Capture[] = [];

  constructor(use: PatternUse, context: OperatorContext) {
    invariant(context.keys !== null, `pattern '${context.operator}' needs a keyed input`);
    this.#use = use;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, { ownGroups: context.ownGroups });
    this.#matcher = new Matcher(use.automaton);
    this.#outputs = new NamedOutputs(context, [LATE, TIMED_OUT]);
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#outputs.flush();
  }

  accept(row: unknown, time: number): void {
    this.buffer(row, time, this.#keys.slotOfRow(row));
  }

  generate(writer: LoopWriter, row: RowText): void {
    const object = row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    writer.line(`${writer.bind('pattern', this)}.buffer(${object}, ${row.time}, ${slot});`);
  }

  /** For generated loops. */
  buffer(row: unknown, time: number, slot: number): void {
    if (time <= this.#watermark) {
      this.#lateRecords++;
      this.#outputs.sides.get(LATE)?.emit(row, time);
      return;
    }
    this.#buffer.add(row, time, slot);
    this.#keys.slots.hold(slot);
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#idle = false;
    const before = this.#watermark;
    this.#watermark = time;
    for (;;) {
      const record = this.#buffer.next ?? Number.POSITIVE_INFINITY;
      const timeout = this.#timers.next ?? Number.POSITIVE_INFINITY;
      if (Math.min(record, timeout) > time) break;
      if (timeout <= record) this.#takeTimeout(timeout);
      else this.#takeRecords();
    }
    if (time === MAX_WATERMARK) this.#release(before + 1);
    this.#outputs.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#outputs.idle();
  }

  snapshot(): OperatorState {
    const matches = this.#runs.flatMap((runs, slot) =>
      runs === undefined ? [] : { slot, runs, held: this.#held[slot] ?? [] },
    );
    const { shape } = this.#use.automaton;
    const groups = snapshotPattern(this.#keys, shape, this.#buffer, matches);
    return { watermark: this.#watermark, idle: this.#idle, items: [], groups };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    restorePattern(parts, this.#keys, this.#matcher, this.#context.operator, {
      buffered: (row, time, slot) => {
        this.#buffer.add(row, time, slot);
        this.#keys.slots.hold(slot);
      },
      matches: ({ slot, runs, held }) => this.#keep(slot, runs, held),
    });
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#timers.size, lateRecords: this.#lateRecords };
  }

  waiting(): Waiting | null {
    let until = this.#buffer.next ?? Number.POSITIVE_INFINITY;
    let count = this.#buffer.size;
    for (const run of this.#runs.flatMap((runs) => runs ?? [])) {
      if (!this.#givesAtTimeout(run)) continue;
      until = Math.min(until, this.#timeoutOf(run.last));
      count++;
    }
    return until === Number.POSITIVE_INFINITY ? null : { what: 'pattern', until, count };
  }

  #takeRecords(): void {
    const { time, slots, rows } = this.#buffer.take();
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number;
      this.#process(rows[i], time, slot);
      this.#keys.slots.drop(slot);
    }
  }

  #process(row: unknown, time: number, slot: number): void {
    const runs = this.#runs[slot] ?? NO_RUNS;
    const next = this.#next;
    const completed = this.#completed;
    next.length = 0;
    completed.length = 0;
    try {
      this.#matcher.advance(runs, row, time, next, completed);
      this.#checkBound(slot, next.length + (this.#held[slot]?.length ?? 0));
    } catch (error) {
      this.#context.onRecordError(error, () => row, time);
      return;
    }
    if (next.length > 0) this.#next = [];
    else if (runs === NO_RUNS && completed.length === 0) return;
    this.#settle(slot, next, completed, time);
  }

  #takeTimeout(at: number): void {
    const due = this.#timers.takeDue(at);
    invariant(due !== null, 'a timer is due');
    const { slot } = due;
    this.#armedAt[slot] = Number.POSITIVE_INFINITY;
    const runs = this.#runs[slot];
    if (runs === undefined) return;
    const over = runs.filter(({ last }) => this.#timeoutOf(last) <= at);
    const left = runs.filter(({ last }) => this.#timeoutOf(last) > at);
    for (const run of over)
      if (this.#givesAtTimeout(run) && !this.#matcher.matchesAtTimeout(run))
        this.#giveTimedOut(run.last, slot, at);
    const completed = over.filter((run) => this.#matcher.matchesAtTimeout(run)).map(({ last }) => last);
    this.#settle(slot, left, completed, at);
  }

  /** No event can come any more: no partial match stands in the way of a held one. */
  #release(earliest: number): void {
    this.#held.forEach((held, slot) => {
      if (held === undefined) return;
      const at = held.reduce((latest, match) => Math.max(latest, match.event.time), earliest);
      this.#settle(slot, NO_RUNS, NO_MATCHES, at);
    });
  }

  /** Puts a key's state right after an event or a timeout, then gives its matches. */
  #settle(slot: number, next: readonly Run[], completed: readonly Capture[], at: number): void {
    const { plan, steps } = this.#use.automaton;
    const held = this.#held[slot];
    if (plan.skip.kind === 'none' || (held === undefined && completed.length === 0)) {
      this.#keep(slot, next, NO_MATCHES);
      for (const match of completed) this.#give(match, slot, at);
      return;
    }
    const settled = settle(plan.skip, steps, [...(held ?? NO_MATCHES), ...completed], next);
    this.#keep(slot, settled.runs, settled.held);
    for (const match of settled.given) this.#give(match, slot, at);
  }

  #keep(slot: number, runs: readonly Run[], held: readonly Capture[]): void {
    const had = this.#runs[slot] !== undefined;
    const first = runs[0];
    if (!had && first === undefined) return;
    this.#runs[slot] = first === undefined ? undefined : runs;
    this.#held[slot] = held.length === 0 ? undefined : held;
    if (first === undefined) {
      if (had) this.#keys.slots.drop(slot);
      return;
    }
    if (!had) this.#keys.slots.hold(slot);
    this.#arm(slot, this.#timeoutOf(first.last));
  }

  #arm(slot: number, at: number): void {
    if (at >= (this.#armedAt[slot] ?? Number.POSITIVE_INFINITY)) return;
    this.#armedAt[slot] = at;
    this.#timers.add(slot, at);
  }

  #timeoutOf(last: Capture): number {
    const { withinMs } = this.#use.automaton.plan;
    return withinMs === null ? Number.POSITIVE_INFINITY : plusSaturating(last.start.time, withinMs);
  }

  #givesAtTimeout(run: Run): boolean {
    if (this.#timeoutOf(run.last) === Number.POSITIVE_INFINITY) return false;
    return this.#matcher.matchesAtTimeout(run) || !this.#matcher.isComplete(run.last);
  }

  #give(match: Capture, slot: number, at: number): void {
    const captures = capturesOf(this.#use.automaton.steps, match);
    this.#giveTo(this.#outputs.main, this.#use.select, captures, match, slot, at);
  }

  #giveTimedOut(partial: Capture, slot: number, at: number): void {
    const captures = partialCapturesOf(this.#use.automaton.steps, partial);
    this.#giveTo(
      this.#outputs.sides.get(TIMED_OUT) as RowEmitter,
      this.#use.timedOut,
      captures,
      partial,
      slot,
      at,
    );
  }

  #giveTo(
    to: RowEmitter,
    make: (captures: unknown, context: MatchContext<unknown>) => unknown,
    captures: Record<string, unknown>,
    last: Capture,
    slot: number,
    at: number,
  ): void {
    const key = this.#keys.value(slot);
    try {
      const row = make(captures, { key, times: { first: last.start.time, last: last.event.time, at } });
      if (row !== undefined) to.emit(row, at);
    } catch (error) {
      this.#context.onRecordError(error, () => ({ key, match: captures }), at);
    }
  }

  #checkBound(slot: number, count: number): void {
    if (count <= this.#use.partialMatchesMax) return;
    const { operator } = this.#context;
    const key = JSON.stringify(this.#keys.value(slot), (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    throw new MillraceError(
      'MR_OPERATOR_FAILED',
      `Pattern '${operator}' would have ${count} partial matches of key ${key}, more than ${this.#use.partialMatchesMax}. ` +
        'Shorten within(), use next() or followedBy() instead of followedByAny(), add until() or a skip strategy, or raise partialMatchesMax.',
      { details: { operator, partialMatches: count } },
    );
  }
}

const NO_RUNS: readonly Run[] = [];
const NO_MATCHES: readonly Capture[] = [];

function timedOutMatch(
  captures: Record<string, unknown>,
  { key, times }: MatchContext<unknown>,
): TimedOutMatch<unknown, unknown> {
  return { key, captures, start: times.first, end: times.at };
}
