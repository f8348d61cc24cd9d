import {
  MillraceError,
  type MultiInputOperator,
  type OperatorDefinition,
  plusSaturating,
  type StoredKeyGroup,
  type Waiting,
} from '#engine';
import { describeIntervalJoin } from '../inspect/describe-joins.ts';
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

/** Whose records also come without a partner: nobody's, one input's, or both inputs'. */
export type JoinType = 'inner' | 'left' | 'right' | 'full';

export interface IntervalJoinOptions<Left, Right, Out, Type extends JoinType = 'inner'> {
  /** Least `right time − left time` of a pair, whole ms; may be negative. */
  readonly lowerMs: number;
  /** Greatest `right time − left time` of a pair, whole ms; may be negative. */
  readonly upperMs: number;
  /** A difference of exactly `lowerMs` makes a pair. Default true. */
  readonly includeLower?: boolean;
  /** A difference of exactly `upperMs` makes a pair. Default true. */
  readonly includeUpper?: boolean;
  /** Default `inner`. */
  readonly type?: Type;
  /** The result of a pair, or of one record that has found no partner: the other one is null then. */
  readonly join: (
    left: Type extends 'right' | 'full' ? Left | null : Left,
    right: Type extends 'left' | 'full' ? Right | null : Right,
  ) => Out;
}

/**
 * Pairs of records of one key whose times differ by a bounded amount: `lower ≤ right − left ≤ upper`. A pair comes at once, at
 * the later of both times. A record is forgotten when the watermark says that no partner can come: a left one at
 * `time + upper`, a right one at `time − lower`, neither before its own time. That is when and at what time an outer join
 * gives a record without a partner. Records with a time below the watermark go to `lateLeft` and `lateRight`.
 * @throws MR_CONFIG_INVALID when a bound is no whole number of ms, or no difference lies between the bounds.
 */
export function intervalJoin<Left, Right, Out, Type extends JoinType = 'inner'>(
  options: IntervalJoinOptions<Left, Right, Out, Type>,
): OperatorDefinition<MultiInputOperator> {
  const bounds = boundsOf(options);
  const type: JoinType = options.type ?? 'inner';
  const join = options.join as Join;
  const create = (frame: TwoInputFrame) => new IntervalJoin(frame, bounds, type, join);
  return twoInputOperator('interval-join', create, describeIntervalJoin);
}

type Join = (left: unknown, right: unknown) => unknown;

/** Both inclusive. */
interface Bounds {
  readonly lowerMs: number;
  readonly upperMs: number;
}

export interface IntervalBody {
  readonly bounds: Bounds;
  /** Whether matches were noted, per side: only then can the side's records be told apart on restore. */
  readonly outer: readonly [boolean, boolean];
  readonly sides: readonly [StoredRows, StoredRows];
}

/** What the join knows of one input. */
interface JoinSide {
  readonly kept: TimedRows;
  /** Range of `partner time − own time`. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** How long after its own time a record may find a partner. */
  readonly keptMs: number;
  /** Whether its records are given without a partner. */
  readonly outer: boolean;
}

const ALONE = 0;
const MATCHED = 1;

/**
 * Rules follow Flink's IntervalJoinOperator; outer joins are ours.
 *
 * IJ1 a pair is given once, when its second record comes, at the greater of both times.
 * IJ2 a record with `time < watermark` goes to its input's late side output, and nowhere else.
 * IJ3 a record is kept until the watermark reaches its time + `keptMs`, and not longer.
 * IJ4 outer: a record that has found no partner by then is given alone, once, at that time, which no watermark handed on before
 *     has passed.
 * IJ5 a record at the very watermark, which promised that none would come, is taken; it finds what is still kept.
 *
 * `deadlines` has one entry per slot and side, 2 × slot + side, for the oldest record there.
 */
class IntervalJoin implements TwoInputLogic {
  readonly #frame: TwoInputFrame;
  readonly #bounds: Bounds;
  readonly #join: Join;
  readonly #sides: readonly [JoinSide, JoinSide];
  readonly #deadlines = new Deadlines();

  constructor(frame: TwoInputFrame, bounds: Bounds, type: JoinType, join: Join) {
    const { lowerMs, upperMs } = bounds;
    this.#frame = frame;
    this.#bounds = bounds;
    this.#join = join;
    this.#sides = [
      joinSide(lowerMs, upperMs, type === 'left' || type === 'full'),
      joinSide(-upperMs, -lowerMs, type === 'right' || type === 'full'),
    ];
  }

  record(side: Side, row: unknown, time: number, slot: number): void {
    if (time < this.#frame.watermark) return this.#frame.late(side, row, time);
    const matched = this.#match(side, row, time, slot);
    this.#keep(side, slot, time, row, matched ? MATCHED : ALONE);
  }

  advance(watermark: number): void {
    this.#deadlines.drain(watermark, (entry) => this.#release((entry & 1) as Side, entry >>> 1, watermark));
  }

  emptyBody(): IntervalBody {
    const outer = [this.#sides[LEFT].outer, this.#sides[RIGHT].outer] as const;
    return { bounds: this.#bounds, outer, sides: [emptyRows(), emptyRows()] };
  }

  store(slot: number, { sides }: IntervalBody, key: number): boolean {
    for (const side of [LEFT, RIGHT] as const) storeRows(sides[side], key, this.#sides[side].kept, slot);
    return this.#sides.some(({ kept }) => !kept.isEmpty(slot));
  }

  restore(stored: unknown): void {
    const group = stored as StoredKeyGroup<IntervalBody>;
    this.#refuseOther(group);
    const slots = this.#frame.keys.slotsOf(group.keys);
    for (const side of [LEFT, RIGHT] as const)
      restoreRows(group.sides[side], (key, time, row, flag) =>
        this.#keep(side, slots[key] as number, time, row, flag),
      );
  }

  timers(): number {
    return this.#deadlines.size;
  }

  waiting(): Waiting | null {
    let until = Number.POSITIVE_INFINITY;
    let count = 0;
    for (const { kept, outer, keptMs } of this.#sides) {
      for (let slot = 0; outer && slot < kept.slots; slot++) {
        for (let i = kept.head(slot); i < kept.end(slot); i++) {
          if (kept.flags[i] !== ALONE) continue;
          count++;
          until = Math.min(until, plusSaturating(kept.times[i] as number, keptMs));
        }
      }
    }
    return count === 0 ? null : { what: 'join', until, count };
  }

  /** Gives all pairs of the record, or none when one throws; true when there was one. */
  #match(side: Side, row: unknown, time: number, slot: number): boolean {
    const { fromMs, untilMs } = this.#sides[side];
    const partners = this.#sides[side === LEFT ? RIGHT : LEFT].kept;
    const end = partners.end(slot);
    const from = partners.firstFrom(slot, time + fromMs);
    const last = time + untilMs;
    const { times, rows, flags } = partners;
    let to = from;
    for (; to < end && (times[to] as number) <= last; to++) {
      const other = rows[to];
      const made = side === LEFT ? this.#join(row, other) : this.#join(other, row);
      this.#frame.stage(made, Math.max(time, times[to] as number));
    }
    if (to === from) return false;
    this.#frame.commit();
    for (let i = from; i < to; i++) flags[i] = MATCHED;
    return true;
  }

  #keep(side: Side, slot: number, time: number, row: unknown, flag: number): void {
    const { kept, keptMs } = this.#sides[side];
    if (kept.isEmpty(slot)) this.#frame.keys.slots.hold(slot);
    kept.add(slot, time, row, flag);
    this.#deadlines.arm(slot * 2 + side, plusSaturating(time, keptMs));
  }

  /** Lets go of the records whose time is over (IJ3), giving those alone that had to be given (IJ4). */
  #release(side: Side, slot: number, watermark: number): void {
    const { kept, keptMs, outer } = this.#sides[side];
    this.#frame.snapshots.touch(slot);
    const end = kept.end(slot);
    let to = kept.head(slot);
    for (; to < end; to++) {
      const over = plusSaturating(kept.times[to] as number, keptMs);
      if (over > watermark) break;
      if (outer && kept.flags[to] === ALONE) this.#giveAlone(side, kept.rows[to], over);
    }
    const next = to < end ? plusSaturating(kept.times[to] as number, keptMs) : 0;
    if (kept.dropUntil(slot, to)) this.#frame.keys.slots.drop(slot);
    else this.#deadlines.arm(slot * 2 + side, next);
  }

  #giveAlone(side: Side, row: unknown, time: number): void {
    try {
      this.#frame.emit(side === LEFT ? this.#join(row, null) : this.#join(null, row), time);
    } catch (error) {
      this.#frame.failed(error, () => row, time);
    }
  }

  #refuseOther({ bounds, outer }: IntervalBody): void {
    const { operator } = this.#frame;
    const { lowerMs, upperMs } = this.#bounds;
    if (bounds.lowerMs !== lowerMs || bounds.upperMs !== upperMs) {
      throw new MillraceError(
        'MR_STATE_INCOMPATIBLE',
        `Interval join '${operator}' has stored records for differences of ${bounds.lowerMs} to ${bounds.upperMs} ms, the job asks for ${lowerMs} to ${upperMs} ms. ` +
          'Give the operator a new id to start it afresh.',
        { details: { operator } },
      );
    }
    for (const side of [LEFT, RIGHT] as const) {
      if (!this.#sides[side].outer || outer[side]) continue;
      throw new MillraceError(
        'MR_STATE_INCOMPATIBLE',
        `Interval join '${operator}' gave no ${side === LEFT ? 'left' : 'right'} records without a partner before, and cannot tell which of those kept have found one. ` +
          'Give the operator a new id to start it afresh.',
        { details: { operator } },
      );
    }
  }
}

function joinSide(fromMs: number, untilMs: number, outer: boolean): JoinSide {
  return { kept: new TimedRows(), fromMs, untilMs, keptMs: Math.max(0, untilMs), outer };
}

function boundsOf(options: {
  readonly lowerMs: number;
  readonly upperMs: number;
  readonly includeLower?: boolean;
  readonly includeUpper?: boolean;
}): Bounds {
  const { lowerMs, upperMs, includeLower = true, includeUpper = true } = options;
  for (const bound of [lowerMs, upperMs]) {
    if (Number.isSafeInteger(bound)) continue;
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `An interval join's bounds must be whole numbers of ms, got ${lowerMs} and ${upperMs}.`,
    );
  }
  const bounds = { lowerMs: lowerMs + (includeLower ? 0 : 1), upperMs: upperMs - (includeUpper ? 0 : 1) };
  if (bounds.lowerMs <= bounds.upperMs) return bounds;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `An interval join from ${lowerMs} ms (${includeLower ? 'included' : 'excluded'}) to ${upperMs} ms (${includeUpper ? 'included' : 'excluded'}) has no pairs: the lower bound must not exceed the upper one.`,
  );
}
