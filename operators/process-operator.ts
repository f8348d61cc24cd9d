import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  type LoopWriter,
  MIN_WATERMARK,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  type Output,
  type Records,
  RowEmitter,
  RowLoop,
  type RowText,
  TimerQueue,
  type ValueKeySpace,
  writeKeySlot,
} from '#engine';
import type { KeyedOperator, ProcessContext, ValueHandle } from './define-operator.ts';

/** One key group as stored: keys, and by position in them their values and timers. */
interface ProcessGroup {
  readonly keys: Uint8Array[];
  /** Per state field, `[key index, value]` of every key that has one. */
  readonly state: Readonly<Record<string, [number, unknown][]>>;
  readonly timers: [key: number, time: number][];
}

type AnyContext = ProcessContext<unknown, unknown, unknown, Record<string, unknown>>;

/**
 * Runs a keyed operator's functions. State cells and timers are indexed by the key's slot and hold it.
 *
 * PO1 the user's functions see one key at a time; `#slot` and `#time` are set before each call.
 * PO2 timers fire in time order when the watermark reaches them, before the watermark is handed on.
 * PO3 a timer that a firing timer sets for its own time or earlier fires with the next watermark: no watermark fires for ever.
 */
export class ProcessOperator implements Operator {
  readonly #operator: KeyedOperator<unknown, unknown, unknown, unknown>;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #timers = new TimerQueue();
  readonly #cells = new Map<string, unknown[]>();
  readonly #emitter: RowEmitter;
  readonly #sides = new Map<string, { readonly emitter: RowEmitter; readonly output: Output }>();
  readonly #loop: RowLoop;
  readonly #user: AnyContext;
  #firing = false;
  /** Timers set while firing for a time that has passed (PO3). */
  #passed: [slot: number, time: number][] = [];
  #slot = 0;
  #time = 0;
  #watermark = MIN_WATERMARK;
  #idle = false;

  constructor(operator: KeyedOperator<unknown, unknown, unknown, unknown>, context: OperatorContext) {
    invariant(context.keys !== null, `operator '${context.operator}' needs a keyed input`);
    this.#operator = operator;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism);
    this.#emitter = new RowEmitter(context.output);
    for (const name of Object.keys(operator.sides ?? {})) {
      const output = context.side(name);
      this.#sides.set(name, { output, emitter: new RowEmitter(output) });
    }
    this.#user = this.#userContext();
    this.#loop = new RowLoop({
      name: `${context.operator}.${context.subtask}`,
      stages: context.stages,
      consumer: this,
      onError: context.onRecordError,
      interpreted: context.interpreted,
    });
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#flush();
  }

  accept(row: unknown, time: number): void {
    this.process(row, time, this.#keys.slotOfRow(row));
  }

  generate(writer: LoopWriter, row: RowText): void {
    const object = row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    writer.line(`${writer.bind('operator', this)}.process(${object}, ${row.time}, ${slot});`);
  }

  process(row: unknown, time: number, slot: number): void {
    this.#slot = slot;
    this.#time = time;
    this.#operator.onRecord(row, this.#user as never);
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#idle = false;
    this.#watermark = time;
    this.#firing = true;
    for (let due = this.#timers.takeDue(time); due !== null; due = this.#timers.takeDue(time))
      this.#fire(due.slot, due.time);
    this.#firing = false;
    for (const [slot, passed] of this.#passed.splice(0)) this.#addTimer(slot, passed);
    this.#flush();
    this.#context.output.watermark(time);
    for (const { output } of this.#sides.values()) output.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
    for (const { output } of this.#sides.values()) output.idle();
  }

  snapshot(): OperatorState {
    const groups = new Map<number, { group: ProcessGroup; index: Map<number, number> }>();
    const place = (slot: number) => {
      const number = this.#keys.group(slot);
      let entry = groups.get(number);
      if (entry === undefined) {
        entry = {
          group: {
            keys: [],
            state: Object.fromEntries([...this.#cells.keys()].map((name) => [name, []])),
            timers: [],
          },
          index: new Map(),
        };
        groups.set(number, entry);
      }
      let key = entry.index.get(slot);
      if (key === undefined) {
        key = entry.group.keys.push(this.#keys.canonical(slot)) - 1;
        entry.index.set(slot, key);
      }
      return { group: entry.group, key };
    };
    for (const [name, cells] of this.#cells) {
      cells.forEach((value, slot) => {
        if (value === undefined) return;
        const { group, key } = place(slot);
        group.state[name]?.push([key, structuredClone(value)]);
      });
    }
    this.#timers.forEach((slot, time) => {
      const { group, key } = place(slot);
      group.timers.push([key, time]);
    });
    return {
      watermark: this.#watermark,
      idle: this.#idle,
      items: [],
      groups: new Map([...groups].map(([number, { group }]) => [number, group])),
    };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    for (const part of parts)
      for (const group of part.groups.values() as Iterable<ProcessGroup>) this.#restoreGroup(group);
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#timers.size, lateRecords: 0 };
  }

  #restoreGroup(group: ProcessGroup): void {
    const slots = group.keys.map((key) => this.#keys.slotOfCanonical(key));
    for (const [name, values] of Object.entries(group.state)) {
      if (!this.#cells.has(name)) {
        throw new MillraceError(
          'MR_STATE_INCOMPATIBLE',
          `Operator '${this.#context.operator}' has stored state '${name}', which it no longer declares. Declare it again, or give the operator a new id.`,
          { details: { operator: this.#context.operator } },
        );
      }
      for (const [key, value] of values) this.#set(name, slots[key] as number, value);
    }
    for (const [key, time] of group.timers) this.#addTimer(slots[key] as number, time);
  }

  #fire(slot: number, time: number): void {
    this.#slot = slot;
    this.#time = time;
    try {
      this.#operator.onTimer?.(time, this.#user as never);
    } catch (error) {
      this.#context.onRecordError(error, () => ({ timer: time, key: this.#keys.value(slot) }), time);
    }
    this.#keys.slots.drop(slot);
  }

  #userContext(): AnyContext {
    const key = () => this.#keys.value(this.#slot);
    const time = () => this.#time;
    const watermark = () => this.#watermark;
    const state = Object.fromEntries(
      Object.keys(this.#operator.state).map((name) => [name, this.#handle(name)]),
    );
    const side = Object.fromEntries(
      [...this.#sides].map(([name, { emitter }]) => [
        name,
        (record: unknown) => emitter.emit(record, this.#time),
      ]),
    );
    return {
      get key() {
        return key();
      },
      get timestamp() {
        return time();
      },
      get watermark() {
        return watermark();
      },
      state,
      timers: {
        at: (time) => this.#addTimer(this.#slot, time),
        delete: (time) => {
          this.#passed = this.#passed.filter(([slot, at]) => slot !== this.#slot || at !== time);
          if (this.#timers.delete(this.#slot, time)) this.#keys.slots.drop(this.#slot);
        },
      },
      emit: (record) => this.#emitter.emit(record, this.#time),
      side,
    };
  }

  #handle(name: string): ValueHandle<unknown> {
    const cells: unknown[] = [];
    this.#cells.set(name, cells);
    return {
      get: () => cells[this.#slot],
      set: (value) => this.#set(name, this.#slot, value),
      clear: () => this.#set(name, this.#slot, undefined),
    };
  }

  #set(name: string, slot: number, value: unknown): void {
    const cells = this.#cells.get(name) as unknown[];
    const had = cells[slot] !== undefined;
    cells[slot] = value;
    if (!had && value !== undefined) this.#keys.slots.hold(slot);
    if (had && value === undefined) this.#keys.slots.drop(slot);
  }

  #addTimer(slot: number, time: number): void {
    if (!Number.isSafeInteger(Math.trunc(time))) {
      throw new MillraceError(
        'MR_OPERATOR_FAILED',
        `Operator '${this.#context.operator}' set a timer at ${time}, which is no time.`,
      );
    }
    if (this.#firing && time <= this.#time) this.#passed.push([slot, time]);
    else if (this.#timers.add(slot, time)) this.#keys.slots.hold(slot);
  }

  #flush(): void {
    this.#emitter.flush();
    for (const { emitter } of this.#sides.values()) emitter.flush();
  }
}
