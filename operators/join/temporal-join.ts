import {
  type Duration,
  durationMs,
  MillraceError,
  type MultiInputOperator,
  type OperatorDefinition,
  plusSaturating,
  type StoredKeyGroup,
  type Waiting,
} from '#engine';
import { describeTemporalJoin } from '../inspect/describe-joins.ts';
import { Deadlines } from './deadlines.ts';
import { emptyRows, restoreRows, type StoredRows, storeRows } from './stored-rows.ts';
import { TimedRows } from './timed-rows.ts';
import {
  LEFT,
  RIGHT,
  type Side,
  type TwoInputFrame,
  type TwoInputLogic,
  twoInputOperator,
} from './two-input-operator.ts';

export interface TemporalJoinOptions<Fact, Version, Out, Type extends 'inner' | 'left' = 'inner'> {
  /** `left` gives facts without a version too. Default `inner`. */
  readonly type?: Type;
  /** True for a version that says that there is none from its time on. Default: none does. */
  readonly isDeleted?: (version: Version) => boolean;
  /**
   * How long a version lasts that no fact uses, in event time: a fact finds it when it comes earlier than this after the
   * version's time or after the last fact that used it. Default: for ever.
   */
  readonly ttl?: Duration;
  readonly join: (fact: Fact, version: Type extends 'left' ? Version | null : Version) => Out;
}

/**
 * As-of join: each record of the left input (a fact) with the newest version of its key, from the right input, whose time is not
 * after the fact's. It comes at the fact's time, when the watermark reaches it, so that the result does not depend on which
 * input was faster. Of versions with one time the last counts.
 *
 * What comes later than the watermark promised is used as long as that is exact, and goes to a side output otherwise: a fact
 * is joined at once when the version of its time is still kept, and goes to `lateLeft` when it is not; a version counts for
 * facts to come when it is the newest for them, and goes to `lateRight` when a newer one has replaced it already.
 * @throws MR_CONFIG_INVALID when `ttl` is below 1 ms
 */
export function temporalJoin<Fact, Version, Out, Type extends 'inner' | 'left' = 'inner'>(
  options: TemporalJoinOptions<Fact, Version, Out, Type>,
): OperatorDefinition<MultiInputOperator> {
  const ttlMs = options.ttl === undefined ? FOREVER : durationMs(options.ttl, 'version ttl');
  if (ttlMs < 1) throw new MillraceError('MR_CONFIG_INVALID', 'A version must last at least 1 ms.');
  const rules: Rules = {
    isOuter: options.type === 'left',
    isDeleted: options.isDeleted as Rules['isDeleted'],
    ttlMs,
    join: options.join as Rules['join'],
  };
  const create = (frame: TwoInputFrame) => new TemporalJoin(frame, rules);
  return twoInputOperator('temporal-join', create, describeTemporalJoin);
}

interface Rules {
  readonly isOuter: boolean;
  readonly isDeleted: ((version: unknown) => boolean) | undefined;
  readonly ttlMs: number;
  readonly join: (fact: unknown, version: unknown) => unknown;
}

export interface TemporalBody {
  readonly facts: StoredRows;
  readonly versions: StoredRows;
  /** Per key, time of the last fact that used a version; null when none did. */
  readonly usedAt: (number | null)[];
}

/** Flags of versions. */
const PRESENT = 0;
const DELETED = 1;

const NEVER = Number.NEGATIVE_INFINITY;
const FOREVER = Number.POSITIVE_INFINITY;

/**
 * TJ1 a fact is joined when the watermark reaches its time, with the newest version that is not after it, in order of time.
 * TJ2 kept per key: facts after the watermark, versions after the watermark, and the newest version at or before it (the base).
 * TJ3 a deletion is kept as its time alone; as base it stays, lest an older version that is late brings the key back.
 * TJ4 a late fact is joined at once, at its time, when the base is not after it: the base is then the version of its time too.
 * TJ5 a late version before the base, or a late fact without one, goes to its side output and nowhere else.
 * TJ6 a version is forgotten when neither its time nor the last fact that used it is within `ttl`. The rule looks at times of
 *     events only: how fast the watermark moves does not change a result.
 *
 * `deadlines` has one entry per slot: its first fact, the moment its second version becomes the base, or the base's end (TJ6).
 */
class TemporalJoin implements TwoInputLogic {
  readonly #frame: TwoInputFrame;
  readonly #rules: Rules;
  readonly #facts = new TimedRows();
  readonly #versions = new TimedRows();
  readonly #usedAt: number[] = [];
  readonly #deadlines = new Deadlines();

  constructor(frame: TwoInputFrame, rules: Rules) {
    this.#frame = frame;
    this.#rules = rules;
  }

  record(side: Side, row: unknown, time: number, slot: number): void {
    if (side === RIGHT) this.#version(row, time, slot);
    else if (time <= this.#frame.watermark) this.#lateFact(row, time, slot);
    else {
      this.#keep(this.#facts, slot, time, row, 0);
      this.#deadlines.arm(slot, time);
    }
  }

  advance(watermark: number): void {
    for (let slot = this.#deadlines.take(watermark); slot >= 0; slot = this.#deadlines.take(watermark)) {
      this.#frame.snapshots.touch(slot);
      this.#giveDue(slot, watermark);
      this.#forget(slot, watermark);
      this.#arm(slot);
    }
  }

  emptyBody(): TemporalBody {
    return { facts: emptyRows(), versions: emptyRows(), usedAt: [] };
  }

  store(slot: number, { facts, versions, usedAt }: TemporalBody, key: number): boolean {
    if (this.#facts.isEmpty(slot) && this.#versions.isEmpty(slot)) return false;
    storeRows(facts, key, this.#facts, slot);
    storeRows(versions, key, this.#versions, slot);
    const lastUse = this.#lastUse(slot);
    usedAt.push(lastUse === NEVER ? null : lastUse);
    return true;
  }

  restore(stored: unknown): void {
    const group = stored as StoredKeyGroup<TemporalBody>;
    const slots = this.#frame.keys.slotsOf(group.keys);
    const into = (rows: TimedRows) => (key: number, time: number, row: unknown, flag: number) =>
      this.#keep(rows, slots[key] as number, time, row, flag);
    restoreRows(group.facts, into(this.#facts));
    restoreRows(group.versions, into(this.#versions));
    for (const [key, slot] of slots.entries()) {
      this.#setLastUse(slot, group.usedAt[key] ?? NEVER);
      this.#arm(slot);
    }
  }

  timers(): number {
    return this.#deadlines.size;
  }

  waiting(): Waiting | null {
    const { size: count, slots } = this.#facts;
    if (count === 0) return null;
    let until = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < slots; slot++)
      if (!this.#facts.isEmpty(slot))
        until = Math.min(until, this.#facts.times[this.#facts.head(slot)] as number);
    return { what: 'join', until, count };
  }

  #version(row: unknown, time: number, slot: number): void {
    const versions = this.#versions;
    const isDeleted = this.#rules.isDeleted?.(row) ?? false;
    const { watermark } = this.#frame;
    const next = versions.firstAfter(slot, time);
    const isReplaced = next < versions.end(slot) && (versions.times[next] as number) <= watermark;
    if (isReplaced || (time <= watermark && this.#endOf(slot, time) <= watermark))
      return this.#frame.late(RIGHT, row, time);
    this.#keep(versions, slot, time, isDeleted ? null : row, isDeleted ? DELETED : PRESENT);
    if (time <= watermark) this.#forget(slot, watermark);
    this.#arm(slot);
  }

  /** TJ4 TJ5. */
  #lateFact(row: unknown, time: number, slot: number): void {
    const base = this.#versions.firstAfter(slot, time) - 1;
    if (base < this.#versions.head(slot)) return this.#frame.late(LEFT, row, time);
    const isThere = this.#isThere(slot, base, time);
    if (!isThere && !this.#rules.isOuter) return;
    this.#frame.emit(this.#rules.join(row, isThere ? this.#versions.rows[base] : null), time);
  }

  /** Joins the facts that the watermark has reached (TJ1). */
  #giveDue(slot: number, watermark: number): void {
    const facts = this.#facts;
    if (facts.isEmpty(slot)) return;
    const end = facts.end(slot);
    let to = facts.head(slot);
    for (; to < end && (facts.times[to] as number) <= watermark; to++) {
      const time = facts.times[to] as number;
      this.#forget(slot, time);
      const version = this.#versions.firstAfter(slot, time) - 1;
      const isThere = version >= this.#versions.head(slot) && this.#isThere(slot, version, time);
      if (isThere) this.#setLastUse(slot, time);
      if (isThere || this.#rules.isOuter)
        this.#give(facts.rows[to], isThere ? this.#versions.rows[version] : null, time);
    }
    if (facts.dropUntil(slot, to)) this.#frame.keys.slots.drop(slot);
  }

  #give(fact: unknown, version: unknown, time: number): void {
    try {
      this.#frame.emit(this.#rules.join(fact, version), time);
    } catch (error) {
      this.#frame.failed(error, () => fact, time);
    }
  }

  /** Drops versions that no fact after `time` can find: those before the newest until then, and that one when it is over. */
  #forget(slot: number, time: number): void {
    const versions = this.#versions;
    if (versions.isEmpty(slot)) return;
    const after = versions.firstAfter(slot, time);
    if (after === versions.head(slot)) return;
    const isOver = this.#endOf(slot, versions.times[after - 1] as number) <= time;
    if (!versions.dropUntil(slot, isOver ? after : after - 1)) return;
    this.#setLastUse(slot, NEVER);
    this.#frame.keys.slots.drop(slot);
  }

  /** Whether a fact at `time` finds the version at `index`, the newest not after it. */
  #isThere(slot: number, index: number, time: number): boolean {
    const { times, flags } = this.#versions;
    return flags[index] === PRESENT && time < this.#endOf(slot, times[index] as number);
  }

  /** First time at which a version from `time` on is over (TJ6). */
  #endOf(slot: number, time: number): number {
    const { ttlMs } = this.#rules;
    return ttlMs === FOREVER ? FOREVER : plusSaturating(Math.max(time, this.#lastUse(slot)), ttlMs);
  }

  #arm(slot: number): void {
    const facts = this.#facts;
    const versions = this.#versions;
    if (!facts.isEmpty(slot)) this.#deadlines.arm(slot, facts.times[facts.head(slot)] as number);
    const head = versions.head(slot);
    if (head === versions.end(slot)) return;
    if (head + 1 < versions.end(slot)) this.#deadlines.arm(slot, versions.times[head + 1] as number);
    const over = this.#endOf(slot, versions.times[head] as number);
    if (over !== FOREVER) this.#deadlines.arm(slot, over);
  }

  #keep(rows: TimedRows, slot: number, time: number, row: unknown, flag: number): void {
    if (rows.isEmpty(slot)) this.#frame.keys.slots.hold(slot);
    rows.add(slot, time, row, flag);
  }

  #lastUse(slot: number): number {
    return this.#usedAt[slot] ?? NEVER;
  }

  #setLastUse(slot: number, time: number): void {
    while (this.#usedAt.length <= slot) this.#usedAt.push(NEVER);
    this.#usedAt[slot] = time;
  }
}
