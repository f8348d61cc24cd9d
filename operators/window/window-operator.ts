import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  type LoopWriter,
  MIN_WATERMARK,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  type Output,
  type Records,
  RowEmitter,
  RowLoop,
  type RowText,
  rowAt,
  timeAt,
  type ValueKeySpace,
  writeKeySlot,
} from '#engine';
import type { AggregateFunction } from './aggregate-function.ts';
import type { TumblingWindows } from './assigner.ts';
import { addToCells, type CellPlan, inputValues, readResults } from './cells.ts';
import type { Pane } from './pane.ts';
import { writeCellUpdate, writeInput } from './update-text.ts';
import { WindowSet } from './window-set.ts';
import { restoreWindows, snapshotWindows } from './window-snapshot.ts';

/** What a keyed window does, as data. Exactly one of `plan`'s results and `fold` gives the value. */
export interface WindowSpec {
  readonly windows: TumblingWindows;
  readonly allowedLatenessMs: number;
  readonly plan: CellPlan;
  readonly fold: AggregateFunction<unknown, unknown, unknown> | null;
}

/** Name of the side output with the records whose window was closed for good. */
export const LATE = 'late';

export function windowAggregate(spec: WindowSpec): OperatorDefinition<Operator> {
  return { kind: 'window-aggregate', sides: [LATE], create: (context) => new WindowOperator(spec, context) };
}

/**
 * Keyed event-time windows. Rules follow Flink's WindowOperator with its event-time trigger:
 *
 * WO1 a window gives its result once, when the watermark reaches `end − 1`; its records carry that time.
 * WO2 a record that comes later, but before `end − 1 + allowed lateness`, changes the window and gives its key's result again.
 * WO3 a record later than that goes to the side output `late`, never into a window: every record is in exactly one of the two.
 * WO4 the watermark is part of the snapshot, so that a closed window stays closed after a restore.
 */
class WindowOperator implements Operator {
  readonly #spec: WindowSpec;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #windows: WindowSet;
  readonly #loop: RowLoop;
  readonly #emitter: RowEmitter;
  readonly #late: RowEmitter;
  readonly #lateOutput: Output;
  #lateRecords = 0;
  #idle = false;

  constructor(spec: WindowSpec, context: OperatorContext) {
    invariant(context.keys !== null, `window '${context.operator}' needs a keyed input`);
    this.#spec = spec;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism);
    this.#windows = new WindowSet(
      spec.windows,
      spec.allowedLatenessMs,
      spec.plan,
      this.#keys.slots,
      MIN_WATERMARK,
    );
    this.#emitter = new RowEmitter(context.output);
    this.#lateOutput = context.side(LATE);
    this.#late = new RowEmitter(this.#lateOutput);
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
    this.#late.flush();
    this.#emitter.flush();
  }

  watermark(time: number): void {
    if (time <= this.#windows.watermark) return;
    this.#idle = false;
    this.#windows.watermark = time;
    for (const pane of this.#windows.due()) this.#fire(pane);
    this.#windows.expire();
    this.#emitter.flush();
    this.#context.output.watermark(time);
    this.#lateOutput.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
    this.#lateOutput.idle();
  }

  snapshot(): OperatorState {
    return {
      watermark: this.#windows.watermark,
      idle: this.#idle,
      items: [],
      groups: snapshotWindows(this.#windows.sorted(), this.#keys, this.#spec),
    };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#windows.watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    restoreWindows(parts, this.#windows, this.#keys, this.#spec, this.#context.operator);
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#windows.size, lateRecords: this.#lateRecords };
  }

  accept(row: unknown, time: number): void {
    const { plan, fold } = this.#spec;
    const slot = this.#keys.slotOfRow(row);
    const values = inputValues(plan, row);
    const pane = this.#windows.paneAt(time);
    if (pane === null) return this.late(row, time);
    if (fold !== null) this.fold(pane, slot, row);
    addToCells(plan, pane.viewOf(slot), values, time);
    if (pane.fired) this.refire(pane, slot);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const { plan, fold } = this.#spec;
    const operator = writer.bind('window', this);
    const windows = writer.bind('windows', this.#windows);
    // A row made inside a block would not be visible after it: make it first where it is needed anyway.
    const object = row.columns === null || !row.isInput || fold !== null ? row.object() : null;
    const slot = writeKeySlot(writer, row, this.#keys);
    const values = plan.inputs.map((input) => writeInput(writer, row, input.of));
    const time = writer.local('time');
    const pane = writer.local('pane');
    writer.line(`const ${time} = ${row.time};`);
    writer.line(`let ${pane} = ${windows}.current;`);
    writer.open(`if (${time} < ${pane}.start || ${time} >= ${pane}.end) {`);
    writer.line(`${pane} = ${windows}.paneAt(${time});`);
    const late = object === null ? `lateAt(records, k)` : `late(${object}, ${time})`;
    writer.line(`if (${pane} === null) { ${operator}.${late}; continue; }`);
    writer.close('}');
    if (fold !== null) writer.line(`${operator}.fold(${pane}, ${slot}, ${object});`);
    writeCellUpdate(writer, plan, { slot, pane, time, values });
    writer.line(`if (${pane}.fired) ${operator}.refire(${pane}, ${slot});`);
  }

  /** A record of a closed window (WO3). */
  late(row: unknown, time: number): void {
    this.#lateRecords++;
    this.#late.emit(row, time);
  }

  lateAt(records: Records, k: number): void {
    this.late(rowAt(records, k), timeAt(records, k));
  }

  /** Before the record is counted: one that `add` throws on leaves no trace in the window. */
  fold(pane: Pane, slot: number, row: unknown): void {
    const { createAccumulator, add } = this.#spec.fold as AggregateFunction<unknown, unknown, unknown>;
    const known = pane.accumulators[slot];
    pane.accumulators[slot] = add(row, known === undefined ? createAccumulator() : known);
  }

  /** A late record has changed a window that has given its result (WO2). */
  refire(pane: Pane, slot: number): void {
    this.#emitKey(pane, slot);
  }

  #fire(pane: Pane): void {
    pane.fired = true;
    for (const slot of pane.touched) this.#emitKey(pane, slot);
  }

  #emitKey(pane: Pane, slot: number): void {
    const result = { key: this.#keys.value(slot), window: { start: pane.start, end: pane.end } };
    let value: unknown;
    try {
      value = this.#result(pane, slot);
    } catch (error) {
      this.#context.onRecordError(error, () => result, pane.end - 1);
      return;
    }
    this.#emitter.emit({ ...result, value }, pane.end - 1);
  }

  #result(pane: Pane, slot: number): unknown {
    const { plan, fold } = this.#spec;
    if (fold !== null) return fold.getResult(pane.accumulators[slot]);
    return readResults(plan, pane.viewOf(slot));
  }
}
