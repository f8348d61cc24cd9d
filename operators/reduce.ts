import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  KeyedSnapshots,
  type LoopWriter,
  MIN_WATERMARK,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  type Records,
  RowEmitter,
  type RowLoop,
  type RowText,
  SlotValues,
  type StoredKeyGroup,
  type StoredValues,
  type ValueKeySpace,
  valueReader,
  ValuesDraft,
  writeKeySlot,
} from '#engine';
import { describeReduce } from './inspect/describe-values.ts';
import { recordLoop } from './record-loop.ts';
import { copyOf } from './state/cell-kind.ts';

export interface ReduceOptions<T> {
  /**
   * Joins the key's value so far with its next record; returns a new value and leaves both as they are. One that throws changes
   * nothing.
   */
  readonly reduce: (value: T, record: T) => T;
}

/**
 * Keeps one value per key, for ever, and gives it anew with each record, at the record's time: the first record as it is, then
 * what `reduce` makes of the value and the record, in order of arrival.
 */
export function reduce<T>(options: ReduceOptions<T>): OperatorDefinition<Operator> {
  const join = options.reduce as Reducer;
  return {
    kind: 'reduce',
    sides: [],
    create: (context) => new ReduceOperator(join, context),
    describeGroup: describeReduce,
  };
}

type Reducer = (value: unknown, record: unknown) => unknown;

/** What one key group stores beside its keys. */
export interface ReduceBody {
  /** By key. */
  readonly values: StoredValues;
}

/**
 * RE1 a key's value is the fold of its records in order of arrival, those left out on which `reduce` threw.
 * RE2 every other record gives exactly one result, at its time.
 */
class ReduceOperator implements Operator {
  readonly #join: Reducer;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  /** By slot; none = no record yet. */
  readonly #values = new SlotValues();
  readonly #snapshots: KeyedSnapshots<ValuesDraft, ReduceBody>;
  readonly #emitter: RowEmitter;
  readonly #loop: RowLoop;
  #watermark = MIN_WATERMARK;
  #idle = false;

  constructor(join: Reducer, context: OperatorContext) {
    invariant(context.keys !== null, `reduce '${context.operator}' needs a keyed input`);
    this.#join = join;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    this.#snapshots = new KeyedSnapshots<ValuesDraft, ReduceBody>(this.#keys, context.maxParallelism, {
      empty: () => new ValuesDraft(copyOf),
      store: (slot, draft) => {
        const value = this.#values.get(slot);
        if (value !== undefined) draft.add(value);
        return value !== undefined;
      },
      reserve: (draft, keys, arrays) => draft.reserve(keys, arrays),
      storeAll: (slots, draft) => {
        // A key on whose only record `reduce` threw has a slot for a while, and no value.
        const kept = slots.every((slot) => this.#values.has(slot))
          ? slots
          : slots.filter((slot) => this.#values.has(slot));
        draft.addAll(this.#values, kept);
        return kept;
      },
      body: (draft, arrays) => ({ values: draft.stored(arrays) }),
    });
    this.#emitter = new RowEmitter(context.output);
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#emitter.flush();
  }

  accept(row: unknown, time: number): void {
    this.add(row, time, this.#keys.slotOfRow(row));
  }

  generate(writer: LoopWriter, row: RowText): void {
    const object = row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    writer.line(`${writer.bind('reduce', this)}.add(${object}, ${row.time}, ${slot});`);
  }

  add(row: unknown, time: number, slot: number): void {
    this.#snapshots.touch(slot);
    const before = this.#values.get(slot);
    const value = before === undefined ? row : this.#join(before, row);
    if (value === undefined) throw noValue(this.#context.operator);
    if (before === undefined) this.#keys.slots.hold(slot);
    this.#values.set(slot, value);
    this.#emitter.emit(value, time);
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#idle = false;
    this.#watermark = time;
    this.#context.output.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: 0, lateRecords: 0 };
  }

  snapshot(): OperatorState {
    return { watermark: this.#watermark, idle: this.#idle, items: [], ...this.#snapshots.take() };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    for (const part of parts)
      for (const { keys, values } of part.groups.values() as Iterable<StoredKeyGroup<ReduceBody>>) {
        const valueOf = valueReader(values);
        for (const [i, slot] of this.#keys.slotsOf(keys).entries()) {
          this.#keys.slots.hold(slot);
          this.#values.set(slot, valueOf(i));
        }
      }
  }
}

function noValue(operator: string): MillraceError {
  return new MillraceError(
    'MR_OPERATOR_FAILED',
    `The function of reduce '${operator}' returned undefined; it must return the key's new value.`,
    { details: { operator } },
  );
}
