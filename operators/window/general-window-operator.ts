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
  type OperatorDefinition,
  type OperatorState,
  type Output,
  plusSaturating,
  type Records,
  RowEmitter,
  type RowLoop,
  type RowText,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { describeGeneralWindows } from '../inspect/describe-general-windows.ts';
import { recordLoop } from '../record-loop.ts';
import { windowStart } from './assigner.ts';
import { type Elements, lastElements } from './general-window-contents.ts';
import { restoreGeneralWindows, snapshotGeneralWindows } from './general-window-snapshot.ts';
import {
  type GeneralWindowSpec,
  GLOBAL_END,
  GLOBAL_START,
  planWindows,
  type WindowPlan,
} from './general-window-spec.ts';
import { type DueTimer, type OpenWindow, WindowStore } from './general-window-store.ts';
import { WindowTriggerContext } from './general-window-trigger.ts';
import { checkedGap } from './session-assigner.ts';
import type { TriggerResult } from './trigger.ts';
import type { SnapshotGroups } from './snapshot-groups.ts';
import { LATE } from './window-spec.ts';
import { WindowProcessRunner } from './window-process-runner.ts';

/**
 * Windows of any kind with any trigger, over aggregates or the elements themselves. Results of aggregates are
 * `{ key, window: { start, end }, value }`; a global window shows as `{ start: MIN_WATERMARK, end: MAX_WATERMARK }`. Side outputs:
 * `late`, and those of the window function.
 * @throws MR_CONFIG_INVALID when the parts do not go together
 */
export function generalWindow(spec: GeneralWindowSpec): OperatorDefinition<Operator> {
  const plan = planWindows(spec);
  const sides = Object.keys(plan.process?.sides ?? {});
  if (sides.includes(LATE))
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `A window function may not have a side output '${LATE}': records that come too late go there. Name it otherwise.`,
    );
  return {
    kind: 'window',
    sides: [LATE, ...sides],
    create: (context) => new GeneralWindowOperator(plan, spec.allowedLatenessMs, context),
    describeGroup: describeGeneralWindows(plan),
  };
}

/**
 * Keyed windows by the rules of Flink's WindowOperator and MergingWindowSet. A window is over when the watermark reaches
 * `maxTimestamp + allowed lateness`, its cleanup time.
 *
 * GW1 a record is in each window it belongs to that is not over. When there is none, and the watermark has reached the record's time
 *     plus lateness, it goes to the side output `late`. (A record between windows that is not late is in neither, as in Flink.)
 * GW2 `fire` gives the result of the contents, if there are any, and keeps them. `purge` drops the contents, and nothing else.
 * GW3 at the cleanup time the trigger is asked a last time; then contents, trigger state, timers and per-window state are dropped.
 * GW4 results carry the window's `maxTimestamp`. Those of a global window carry the newest event time of its contents, at least 1 ms
 *     above the watermark that was handed on last: Flink's Long.MAX is never late for what follows either.
 * GW5 session windows of a key that touch or overlap become one before the record is added: contents are merged earliest first, the
 *     trigger's onMerge gets the states of all, their timers are dropped. No merged session is over when a part of it is not.
 * GW6 event-time timers fire in order of time, before the watermark is handed on.
 * GW7 everything is in the snapshot, the watermark too. Clock timers that became due meanwhile fire with the first poll.
 * GW8 a record that an aggregate refuses by throwing leaves no trace. When a trigger throws, the record stays in its window.
 */
class GeneralWindowOperator implements Operator {
  readonly #plan: WindowPlan;
  readonly #latenessMs: number;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #store: WindowStore;
  readonly #trigger: WindowTriggerContext;
  readonly #process: WindowProcessRunner | null;
  readonly #loop: RowLoop;
  readonly #emitter: RowEmitter;
  readonly #late: RowEmitter;
  readonly #lateOutput: Output;
  readonly #isGlobal: boolean;
  /** Whether a window without end may go when nothing is in it. */
  readonly #leavesNothing: boolean;
  #handedOn = MIN_WATERMARK;
  #snapshot: SnapshotGroups | null = null;
  #lateRecords = 0;
  #idle = false;

  constructor(plan: WindowPlan, latenessMs: number, context: OperatorContext) {
    invariant(context.keys !== null, `window '${context.operator}' needs a keyed input`);
    this.#plan = plan;
    this.#latenessMs = latenessMs;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    this.#store = new WindowStore(latenessMs, this.#keys.slots, context.clock, context.wake);
    this.#trigger = new WindowTriggerContext(plan.trigger, this.#store, context.clock);
    this.#emitter = new RowEmitter(context.output);
    this.#lateOutput = context.side(LATE);
    this.#late = new RowEmitter(this.#lateOutput);
    this.#process =
      plan.process === null
        ? null
        : new WindowProcessRunner(plan.process, context, {
            keyOf: (slot) => this.#keys.value(slot),
            slots: this.#keys.slots,
            store: this.#store,
            emitter: this.#emitter,
          });
    this.#isGlobal = plan.fixed === null && plan.gap === null;
    this.#leavesNothing =
      plan.process === null || (plan.process.clear === null && Object.keys(plan.process.state).length === 0);
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#process?.keyState.settle();
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#flush();
  }

  accept(row: unknown, time: number): void {
    this.place(row, time, this.#keys.slotOfRow(row));
  }

  generate(writer: LoopWriter, row: RowText): void {
    const object = row.object();
    const slot = writeKeySlot(writer, row, this.#keys);
    writer.line(`${writer.bind('window', this)}.place(${object}, ${row.time}, ${slot});`);
  }

  /** One record into its windows (GW1). */
  place(row: unknown, time: number, slot: number): void {
    const { fixed, gap } = this.#plan;
    this.#store.frozen?.before(slot);
    let isPlaced = false;
    if (fixed !== null) {
      const { sizeMs, slideMs, offsetMs } = fixed;
      for (let start = windowStart(time, offsetMs, slideMs); start > time - sizeMs; start -= slideMs)
        if (this.#placeIn(slot, start, start + sizeMs, row, time)) isPlaced = true;
    } else if (gap === null) isPlaced = this.#placeIn(slot, GLOBAL_START, GLOBAL_END, row, time);
    else {
      const gapMs = typeof gap === 'number' ? gap : checkedGap(gap(row as never));
      isPlaced = this.#placeInSession(slot, time, plusSaturating(time, gapMs), row);
    }
    if (isPlaced || plusSaturating(time, this.#latenessMs) > this.#store.watermark) return;
    this.#lateRecords++;
    this.#late.emit(row, time);
  }

  watermark(time: number): void {
    if (time <= this.#store.watermark) return;
    this.#idle = false;
    this.#store.watermark = time;
    for (let due = this.#store.takeDue(); due !== null; due = this.#store.takeDue()) this.#fireEvent(due);
    this.#flush();
    this.#handedOn = time;
    this.#context.output.watermark(time);
    this.#lateOutput.watermark(time);
    this.#process?.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
    this.#lateOutput.idle();
    this.#process?.idle();
  }

  poll(): void {
    const { onProcessingTime } = this.#plan.trigger;
    for (let due = this.#store.takeDueOnClock(); due !== null; due = this.#store.takeDueOnClock())
      this.#fire(due, onProcessingTime);
    this.#flush();
  }

  snapshot(): OperatorState {
    this.#snapshot?.release();
    this.#process?.keyState.settle();
    this.#keys.reclaim();
    this.#snapshot = snapshotGeneralWindows(this.#plan, this.#store, this.#keys, this.#process);
    return { watermark: this.#store.watermark, idle: this.#idle, items: [], ...this.#snapshot };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#store.watermark = Math.min(...parts.map((part) => part.watermark));
    this.#handedOn = this.#store.watermark;
    this.#idle = parts.every((part) => part.idle);
    const into = { store: this.#store, keys: this.#keys, process: this.#process };
    restoreGeneralWindows(parts, this.#plan, into, this.#context.operator);
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#store.size, lateRecords: this.#lateRecords };
  }

  waiting(): Waiting | null {
    return this.#store.waiting();
  }

  async close(): Promise<void> {
    this.#store.close();
    await this.#process?.keyState.close();
  }

  /** False when the window is over. */
  #placeIn(slot: number, start: number, end: number, row: unknown, time: number): boolean {
    if (this.#store.isOver(end)) return false;
    const known = this.#store.find(slot, start);
    const contents = this.#plan.contents.add(known === null ? undefined : known.contents, row, time);
    this.#added(known ?? this.#store.open(slot, start, end), contents, row, time);
    return true;
  }

  #placeInSession(slot: number, start: number, end: number, row: unknown): boolean {
    const { add, copy, merge } = this.#plan.contents;
    const touched = this.#store.touching(slot, start, end);
    const [first] = touched;
    if (first === undefined) return this.#placeIn(slot, start, end, row, start);
    const from = Math.min(start, first.start);
    const to = Math.max(end, (touched.at(-1) as OpenWindow).end);
    if (this.#store.isOver(to)) return false;
    let before = first.contents;
    if (touched.length > 1) {
      // On copies: the aggregate may still refuse the record (GW8).
      const filled = touched.flatMap(({ contents }) => (contents === undefined ? [] : [copy(contents)]));
      before = filled.length === 0 ? undefined : filled.reduce((a, b) => merge?.(a, b));
    }
    const contents = add(before, row, start);
    if (touched.length > 1 || from !== first.start || to !== first.end) this.#merge(touched, from, to);
    this.#added(first, contents, row, start);
    return true;
  }

  /** The first of the windows takes the others in; their contents are seen to (GW5). */
  #merge(touched: readonly OpenWindow[], start: number, end: number): void {
    const first = touched[0] as OpenWindow;
    const states = touched.flatMap(({ triggerState }) => (triggerState === undefined ? [] : [triggerState]));
    for (const other of touched.slice(1)) {
      this.#store.remove(other);
    }
    this.#store.resize(first, start, end);
    first.triggerState = undefined;
    this.#trigger.current = first;
    this.#plan.trigger.onMerge?.(states as never, this.#trigger as never);
  }

  /** The record is in `contents`; the trigger decides. */
  #added(window: OpenWindow, contents: unknown, row: unknown, time: number): void {
    window.contents = contents;
    if (this.#isGlobal && time > window.newest) window.newest = time;
    this.#trigger.current = window;
    this.#act(window, this.#plan.trigger.onRecord(row as never, time, this.#trigger as never));
  }

  #fireEvent(due: DueTimer): void {
    this.#fire(due, this.#plan.trigger.onEventTime);
    if (due.time >= due.window.cleanup && this.#store.has(due.window)) this.#clear(due.window);
  }

  #fire({ window, time }: DueTimer, decide: ((time: number, context: never) => TriggerResult) | null): void {
    if (decide === null) return;
    this.#trigger.current = window;
    let result: TriggerResult;
    try {
      result = decide(time, this.#trigger as never);
    } catch (error) {
      this.#context.onRecordError(error, () => ({ ...this.#named(window), timer: time }), time);
      return;
    }
    this.#act(window, result);
  }

  #act(window: OpenWindow, result: TriggerResult): void {
    if (result === 'continue') return;
    if (result !== 'purge' && window.contents !== undefined) this.#give(window);
    if (result === 'fire') return;
    window.contents = undefined;
    if (this.#isGlobal) window.newest = MIN_WATERMARK;
    const isEmpty =
      window.triggerState === undefined &&
      window.eventTimers.length === 0 &&
      window.processingTimers.length === 0;
    // Nothing else would ever free the key.
    if (isEmpty && this.#isGlobal && this.#leavesNothing) this.#store.remove(window);
  }

  /** The window's result, with its time (GW4). */
  #give(window: OpenWindow): void {
    const { valueOf, keepLast } = this.#plan;
    const time = this.#isGlobal
      ? Math.max(window.newest, plusSaturating(this.#handedOn, 1))
      : window.maxTimestamp;
    try {
      const value = valueOf === null ? null : valueOf(window.contents);
      if (this.#process === null) this.#emitter.emit({ ...this.#named(window), value }, time);
      else if (valueOf !== null) this.#process.run(window, [value], time);
      else this.#process.run(window, lastElements(window.contents as Elements, keepLast).rows, time);
    } catch (error) {
      this.#context.onRecordError(error, () => this.#named(window), time);
    }
  }

  /** Drops everything of a window (GW3). */
  #clear(window: OpenWindow): void {
    try {
      this.#process?.clear(window);
    } catch (error) {
      this.#context.onRecordError(error, () => this.#named(window), window.maxTimestamp);
    }
    this.#store.remove(window);
  }

  #named({ slot, start, end }: OpenWindow): { key: unknown; window: { start: number; end: number } } {
    return { key: this.#keys.value(slot), window: { start, end } };
  }

  #flush(): void {
    this.#late.flush();
    this.#emitter.flush();
    this.#process?.flush();
  }
}
