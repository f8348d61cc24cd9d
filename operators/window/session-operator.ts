import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
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
  type RowLoop,
  type RowText,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { describeSessions } from '../inspect/describe-sessions.ts';
import { recordLoop } from '../record-loop.ts';
import { NamedOutputs } from '../state/named-outputs.ts';
import type { AggregateFunction } from './aggregate-function.ts';
import { CellRows } from './cell-rows.ts';
import { type CellPlan, inputValues } from './cells.ts';
import { checkedGap, type SessionWindows } from './session-assigner.ts';
import { NO_SESSION, SessionSet } from './session-set.ts';
import { SessionJournal } from './session-journal.ts';
import { restoreSessions, snapshotSessions } from './session-snapshot.ts';
import { writeSession } from './session-text.ts';
import type { SnapshotGroups } from './snapshot-groups.ts';
import { LATE } from './window-spec.ts';

/** What keyed session windows do, as data. Exactly one of `plan`'s results and `fold` gives the value. */
export interface SessionSpec {
  readonly windows: SessionWindows<never>;
  readonly allowedLatenessMs: number;
  readonly plan: CellPlan;
  /** Must have `merge`: sessions grow together. */
  readonly fold: AggregateFunction<unknown, unknown, unknown> | null;
}

/**
 * Keyed session windows: results are `{ key, window: { start, end }, value }` at `end − 1`; records of sessions that are over go to
 * the side output `late`.
 * @throws MR_CONFIG_INVALID when `fold` has no `merge`
 */
export function sessionAggregate(spec: SessionSpec): OperatorDefinition<Operator> {
  if (spec.fold !== null && spec.fold.merge === undefined)
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      'An aggregate function over session windows needs merge(a, b): a record may join two sessions. Add it to the function.',
    );
  return {
    kind: 'session-aggregate',
    sides: [LATE],
    create: (context) => new SessionOperator(spec, context),
    describeGroup: describeSessions(spec),
  };
}

/**
 * Session windows per key. Rules follow Flink's WindowOperator with merging windows and its event-time trigger:
 *
 * SO1 a record opens `[time, time + gap)`; windows of one key that overlap or touch are one. The sessions do not depend on the
 *     order of arrival, as long as no record is late.
 * SO2 a session gives its result once, when the watermark reaches `end − 1`; its records carry that time.
 * SO3 a record that changes a given session gives the result again: at once while `end − 1` lies at or below the watermark, else
 *     when the watermark reaches the new `end − 1`.
 * SO4 a record that touches no session and whose own window has `end − 1 + allowed lateness` at or below the watermark goes to the
 *     side output `late`, never into a session: every record is in exactly one of the two. (Where it touches one, the merged
 *     session ends no earlier than that one, so it is never over.)
 * SO5 the watermark is part of the snapshot: what was given is not given again after a restore.
 * SO6 a record on which user code throws leaves no trace.
 */
class SessionOperator implements Operator {
  readonly #spec: SessionSpec;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #rows: CellRows;
  readonly #sessions: SessionSet;
  readonly #journal: SessionJournal;
  readonly #loop: RowLoop;
  readonly #outputs: NamedOutputs;
  #snapshot: SnapshotGroups | null = null;
  #lateRecords = 0;
  #idle = false;

  constructor(spec: SessionSpec, context: OperatorContext) {
    invariant(context.keys !== null, `session window '${context.operator}' needs a keyed input`);
    this.#spec = spec;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    this.#rows = new CellRows(spec.plan, spec.fold !== null, context.interpreted);
    this.#sessions = new SessionSet(spec.allowedLatenessMs, this.#rows, this.#keys.slots, MIN_WATERMARK);
    this.#journal = new SessionJournal(this.#sessions, this.#rows);
    this.#outputs = new NamedOutputs(context, [LATE]);
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#outputs.flush();
  }

  watermark(time: number): void {
    const sessions = this.#sessions;
    if (time <= sessions.watermark) return;
    this.#idle = false;
    sessions.watermark = time;
    for (let id = sessions.takeDue(); id !== NO_SESSION; id = sessions.takeDue()) {
      this.emit(id);
      sessions.give(id);
    }
    this.#outputs.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#outputs.idle();
  }

  snapshot(): OperatorState {
    this.#snapshot?.release();
    this.#keys.reclaim();
    const state = { sessions: this.#sessions, rows: this.#rows, keys: this.#keys };
    this.#snapshot = snapshotSessions(state, this.#journal);
    return { watermark: this.#sessions.watermark, idle: this.#idle, items: [], ...this.#snapshot };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#sessions.watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    const into = { sessions: this.#sessions, rows: this.#rows, keys: this.#keys };
    restoreSessions(parts, into, this.#spec.fold !== null, this.#context.operator);
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#sessions.size, lateRecords: this.#lateRecords };
  }

  waiting(): Waiting | null {
    let until = MAX_WATERMARK;
    let count = 0;
    this.#sessions.forEach((id) => {
      if (this.#sessions.isGiven(id)) return;
      count++;
      until = Math.min(until, (this.#sessions.ends[id] as number) - 1);
    });
    return count === 0 ? null : { what: 'window', until, count };
  }

  accept(row: unknown, time: number): void {
    const slot = this.#keys.slotOfRow(row);
    if (this.#spec.fold !== null) return this.fold(slot, row, time);
    this.#sessions.frozen?.before(slot);
    const values = inputValues(this.#spec.plan, row);
    const id = this.place(slot, time, this.gapOf(row));
    if (id === NO_SESSION) return this.late(row, time);
    this.#rows.add(id, values, time);
    if (this.#sessions.isGiven(id)) this.emit(id);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const { fold, plan, windows } = this.#spec;
    if (fold === null) {
      const gapMs = typeof windows.gap === 'number' ? windows.gap : null;
      const parts = { operator: this, sessions: this.#sessions, rows: this.#rows, keys: this.#keys };
      writeSession(writer, row, parts, { plan, gapMs });
      return;
    }
    const object = row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    writer.line(`${writer.bind('session', this)}.fold(${slot}, ${object}, ${row.time});`);
  }

  gapOf(row: unknown): number {
    const { gap } = this.#spec.windows;
    return typeof gap === 'number' ? gap : checkedGap(gap(row as never));
  }

  /** The session that holds a record now, or NO_SESSION when the record is late (SO4). */
  place(slot: number, time: number, gapMs: number): number {
    const sessions = this.#sessions;
    const end = plusSaturating(time, gapMs);
    const found = sessions.find(slot, time, end);
    if (found !== NO_SESSION) {
      sessions.extend(found, time, end);
      return found;
    }
    return sessions.isOver(end) ? NO_SESSION : sessions.open(slot, time, end);
  }

  /** A record for a user's aggregate: first everything that may throw, on copies where several sessions are involved (SO6). */
  fold(slot: number, row: unknown, time: number): void {
    const { createAccumulator, add } = this.#spec.fold as AggregateFunction<unknown, unknown, unknown>;
    const sessions = this.#sessions;
    const { accumulators } = this.#rows;
    const end = plusSaturating(time, this.gapOf(row));
    sessions.frozen?.before(slot);
    let id = sessions.find(slot, time, end);
    if (id === NO_SESSION) {
      if (sessions.isOver(end)) return this.late(row, time);
      const accumulator = add(row, createAccumulator());
      id = sessions.open(slot, time, end);
      accumulators[id] = accumulator;
    } else {
      const accumulator = add(row, this.#merged(id, time));
      sessions.extend(id, time, end);
      accumulators[id] = accumulator;
    }
    if (sessions.isGiven(id)) this.emit(id);
  }

  /** The accumulator of a session and of all that a record at `time` joins to it, the earliest first. */
  #merged(id: number, time: number): unknown {
    const { accumulators } = this.#rows;
    const merge = this.#spec.fold?.merge as (into: unknown, from: unknown) => unknown;
    if (this.#sessions.earlier(id, time) === NO_SESSION) return accumulators[id];
    const joined: unknown[] = [];
    for (let at = id; at !== NO_SESSION; at = this.#sessions.earlier(at, time))
      joined.push(structuredClone(accumulators[at]));
    return joined.reduceRight((into, from) => merge(into, from));
  }

  /** A record of a session that is over (SO4). */
  late(row: unknown, time: number): void {
    this.#lateRecords++;
    this.#outputs.sides.get(LATE)?.emit(row, time);
  }

  emit(id: number): void {
    const { starts, ends } = this.#sessions;
    const end = ends[id] as number;
    const result = {
      key: this.#keys.value(this.#sessions.slotOf(id)),
      window: { start: starts[id] as number, end },
    };
    let value: unknown;
    try {
      const { fold } = this.#spec;
      value = fold === null ? this.#rows.result(id) : fold.getResult(this.#rows.accumulators[id]);
    } catch (error) {
      this.#context.onRecordError(error, () => result, end - 1);
      return;
    }
    this.#outputs.main.emit({ ...result, value }, end - 1);
  }
}
