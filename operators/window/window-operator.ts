import {
  argumentText,
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
  plusSaturating,
  type Records,
  RowEmitter,
  RowLoop,
  type RowText,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { describeWindows } from '../inspect/describe-windows.ts';
import type { AggregateFunction } from './aggregate-function.ts';
import { type ReadResults, resultReader } from './cell-results.ts';
import { addToCells, type CellView, inputValues, mergeCells, mergeObjects } from './cells.ts';
import { GatheredUpdate, isGathered } from './gathered-update.ts';
import { generalWindow } from './general-window-operator.ts';
import type { Pane } from './pane.ts';
import { writeCellUpdate, writeInput } from './update-text.ts';
import { SlidingSet } from './sliding-set.ts';
import { type Give, lastTime, type OpenWindows, WindowSet } from './window-set.ts';
import { restoreWindows, snapshotWindows } from './window-snapshot.ts';
import type { SnapshotGroups } from './snapshot-groups.ts';
import { LATE, type WindowSpec } from './window-spec.ts';

/**
 * Tumbling or sliding windows: results are `{ key, window: { start, end }, value }` at `end − 1`; records of windows that are over
 * go to the side output `late`. A fold over sliding windows that cannot merge is added to each window by the general operator.
 * @param cachedBytesMax cells that count as in the processor's cache (row-warming.ts)
 */
export function windowAggregate(spec: WindowSpec, cachedBytesMax?: number): OperatorDefinition<Operator> {
  const { windows, allowedLatenessMs, fold } = spec;
  if (windows.kind === 'sliding' && fold !== null && fold.merge === undefined)
    return generalWindow({
      assigner: windows,
      trigger: null,
      allowedLatenessMs,
      function: { kind: 'fold', fold: fold as AggregateFunction<never, unknown, unknown> },
    });
  return {
    kind: 'window-aggregate',
    sides: [LATE],
    create: (context) => new WindowOperator(spec, context, cachedBytesMax),
    describeGroup: describeWindows(spec),
  };
}

/**
 * Keyed event-time windows. Rules follow Flink's WindowOperator with its event-time trigger:
 *
 * WO1 a window gives its result once, when the watermark reaches `end − 1`; its records carry that time.
 * WO2 a record that comes later, but before `end − 1 + allowed lateness`, changes the window and gives its key's result again:
 *     of sliding windows, once for each window around it that has given its own; the others give theirs when they are due.
 * WO3 a record later than that for all its windows goes to the side output `late`, never into a window: every record is in exactly
 *     one of the two. (Of sliding windows with gaps, a record between windows is in neither unless it is late, as in Flink.)
 * WO4 the watermark is part of the snapshot, so that a closed window stays closed after a restore.
 */
export class WindowOperator implements Operator {
  readonly #spec: WindowSpec;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #windows: OpenWindows;
  readonly #loop: RowLoop;
  /** For so many keys that it pays. */
  readonly #gatheringLoop: RowLoop;
  readonly #emitter: RowEmitter;
  readonly #late: RowEmitter;
  readonly #readResults: ReadResults;
  readonly #gathered: GatheredUpdate;
  readonly #lateOutput: Output;
  #snapshot: SnapshotGroups | null = null;
  #lateRecords = 0;
  #idle = false;

  constructor(spec: WindowSpec, context: OperatorContext, cachedBytesMax?: number) {
    invariant(context.keys !== null, `window '${context.operator}' needs a keyed input`);
    this.#spec = spec;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    const { slots } = this.#keys;
    const { windows } = spec;
    this.#windows =
      windows.kind === 'tumbling'
        ? new WindowSet(spec, slots, MIN_WATERMARK)
        : new SlidingSet(spec, windows, slots, MIN_WATERMARK);
    this.#emitter = new RowEmitter(context.output);
    this.#lateOutput = context.side(LATE);
    this.#late = new RowEmitter(this.#lateOutput);
    this.#readResults = resultReader(spec.plan, context.interpreted);
    this.#gathered = new GatheredUpdate(spec.plan, (pane, slot) => this.refire(pane, slot), cachedBytesMax);
    const loopOf = (gathers: boolean) =>
      new RowLoop({
        name: `${context.operator}.${context.subtask}${gathers ? '.gathering' : ''}`,
        stages: context.stages,
        consumer: {
          accept: (row, time) => this.accept(row, time),
          generate: (writer, row) => this.generate(writer, row, gathers),
        },
        onError: context.onRecordError,
        interpreted: context.interpreted,
      });
    this.#loop = loopOf(false);
    this.#gatheringLoop = loopOf(true);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    (this.#gathered.paysFor(this.#keys.size) ? this.#gatheringLoop : this.#loop).run(records);
    this.#late.flush();
    this.#emitter.flush();
  }

  watermark(time: number): void {
    if (time <= this.#windows.watermark) return;
    this.#idle = false;
    this.#windows.advance(time, this.#give);
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
    this.#snapshot?.release();
    this.#keys.reclaim();
    this.#snapshot = snapshotWindows(this.#windows.panes(), this.#keys, this.#spec);
    return {
      watermark: this.#windows.watermark,
      idle: this.#idle,
      items: [],
      ...this.#snapshot,
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

  waiting(): Waiting | null {
    return this.#windows.waiting();
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

  generate(writer: LoopWriter, row: RowText, gathers: boolean): void {
    const { plan, fold } = this.#spec;
    const operator = writer.bind('window', this);
    const windows = writer.bind('windows', this.#windows);
    // A row made inside a block would not be visible after it: make it first where it is needed anyway.
    const late = row.again() ?? row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    const gathered =
      gathers && fold === null && isGathered(plan, row) ? writer.bind('gathered', this.#gathered) : null;
    const values = gathered === null ? plan.inputs.map((input) => writeInput(writer, row, input.of)) : [];
    const time = writer.local('time');
    const pane = writer.local('pane');
    writer.line(`const ${time} = ${row.time};`);
    writer.line(`let ${pane} = ${windows}.current;`);
    writer.open(`if (${time} < ${pane}.start || ${time} >= ${pane}.end) {`);
    writer.line(`${pane} = ${windows}.paneAt(${time});`);
    writer.line(`if (${pane} === null) { ${operator}.late(${late}, ${time}); continue; }`);
    writer.close('}');
    if (gathered !== null) {
      writer.setup(`${gathered}.begin(batch);`);
      writer.line(`${gathered}.add(${pane}, ${slot}, ${row.columns?.index});`);
      writer.teardown(`${gathered}.flush(batch);`);
      return;
    }
    if (fold !== null) {
      const record = argumentText(row, fold.add);
      writer.line(`${operator}.fold(${pane}, ${slot}, ${record});`);
    }
    writeCellUpdate(writer, plan, { slot, pane, time, values });
    writer.line(`if (${pane}.fired) ${operator}.refire(${pane}, ${slot});`);
  }

  /** A record that no open window holds (WO3). */
  late(row: unknown, time: number): void {
    const { watermark } = this.#windows;
    if (!this.#windows.covers(time) && plusSaturating(time, this.#spec.allowedLatenessMs) > watermark) return;
    this.#lateRecords++;
    this.#late.emit(row, time);
  }

  /** Before the record is counted: one that `add` throws on leaves no trace in the window. */
  fold(pane: Pane, slot: number, row: unknown): void {
    const { createAccumulator, add } = this.#spec.fold as AggregateFunction<unknown, unknown, unknown>;
    pane.frozen?.changing(slot);
    const known = pane.accumulators[slot];
    pane.accumulators[slot] = add(row, known === undefined ? createAccumulator() : known);
  }

  /**
   * Adds what several records of one pane and of `row`'s key have come to; false, and nothing is added, where each must come by
   * itself: a window around it has given its result, or none is open.
   */
  merge(row: unknown, { start, cells }: { readonly start: number; readonly cells: CellView }): boolean {
    const pane = this.#windows.paneAt(start);
    if (pane === null || pane.fired) return false;
    this.#idle = false;
    const into = pane.viewOf(this.#keys.slotOfRow(row));
    mergeCells(this.#spec.plan, into.page, into.at, cells.page, cells.at);
    mergeObjects(into.objects, cells.objects);
    return true;
  }

  /** A late record has changed windows that have given their results (WO2). */
  refire(pane: Pane, slot: number): void {
    this.#windows.refire(pane, slot, this.#give);
  }

  readonly #give: Give = (pane, slots, start, end) => {
    const { fold } = this.#spec;
    const time = lastTime(end);
    for (const slot of slots) {
      const key = this.#keys.value(slot);
      const window = { start, end };
      let value: unknown;
      try {
        value = fold === null ? this.#readResults(pane.peek(slot)) : fold.getResult(pane.accumulator(slot));
      } catch (error) {
        this.#refuse(error, { key, window }, time);
        continue;
      }
      this.#emitter.emit({ key, window, value }, time);
    }
  };

  #refuse(error: unknown, result: unknown, time: number): void {
    this.#context.onRecordError(error, () => result, time);
  }
}
