import {
  createKeySpace,
  type DescribeGroup,
  type FieldKeySpace,
  InputMerger,
  KeyedSnapshots,
  type KeySelector,
  type LoopWriter,
  MIN_WATERMARK,
  type MultiInputOperator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  type Output,
  type Records,
  RowEmitter,
  type RowConsumer,
  type RowLoop,
  type RowText,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { recordLoop } from '../record-loop.ts';
import { sharedKeys } from '../shared-keys.ts';

/** Which of the two inputs. */
export type Side = 0 | 1;
export const LEFT = 0;
export const RIGHT = 1;

/** Side outputs with the records that came too late, one per input: their rows have different types. */
const LATE_LEFT = 'lateLeft';
const LATE_RIGHT = 'lateRight';

/** What one kind of join does; the rest of an operator is the same for all of them. */
export interface TwoInputLogic {
  /** What it throws goes to the job's error policy with this record: it must have left no trace by then. */
  readonly record: (side: Side, row: unknown, time: number, slot: number) => void;
  /** Gives everything due at the watermark, which `frame.watermark` shows already. */
  readonly advance: (watermark: number) => void;
  /** What a key group without keys stores beside them. */
  readonly emptyBody: () => object;
  /** Adds a copy of all that is kept of a slot's key, which has the number `key` in its group; false when there is nothing. */
  readonly store: (slot: number, body: never, key: number) => boolean;
  /** One stored key group; `frame.watermark` is restored already. */
  readonly restore: (group: unknown) => void;
  /** Deadlines that wait for the watermark. */
  readonly timers: () => number;
  readonly waiting: () => Waiting | null;
}

export function twoInputOperator(
  kind: string,
  create: (frame: TwoInputFrame) => TwoInputLogic,
  describeGroup: DescribeGroup,
): OperatorDefinition<MultiInputOperator> {
  return {
    kind,
    sides: [LATE_LEFT, LATE_RIGHT],
    create: (context) => new TwoInputOperator(create, context),
    describeGroup,
  };
}

/** What a join works with: keys, event time, and where results go. */
export class TwoInputFrame {
  readonly operator: string;
  /** One key space: both inputs' records of a key have the same slot. */
  readonly keys: FieldKeySpace | ValueKeySpace;
  /** Merged event time of both inputs. */
  watermark = MIN_WATERMARK;
  lateRecords = 0;
  /** To be touched before what is kept of a slot's key changes. The operator does so for records. */
  readonly snapshots: Pick<KeyedSnapshots<object>, 'touch'>;
  readonly #context: OperatorContext;
  readonly #emitter: RowEmitter;
  readonly #late: readonly [RowEmitter, RowEmitter];
  readonly #staged: unknown[] = [];
  readonly #stagedTimes: number[] = [];
  #stagedCount = 0;

  constructor(
    context: OperatorContext,
    keys: FieldKeySpace | ValueKeySpace,
    snapshots: TwoInputFrame['snapshots'],
    lateOutputs: readonly [Output, Output],
  ) {
    this.operator = context.operator;
    this.snapshots = snapshots;
    this.keys = keys;
    this.#context = context;
    this.#emitter = new RowEmitter(context.output);
    this.#late = [new RowEmitter(lateOutputs[LEFT]), new RowEmitter(lateOutputs[RIGHT])];
  }

  emit(row: unknown, time: number): void {
    this.#emitter.emit(row, time);
  }

  /** Keeps a result back until all of its record's are made: {@link commit} gives them, {@link discard} forgets them. */
  stage(row: unknown, time: number): void {
    const at = this.#stagedCount++;
    this.#staged[at] = row;
    this.#stagedTimes[at] = time;
  }

  commit(): void {
    for (let i = 0; i < this.#stagedCount; i++) {
      this.#emitter.emit(this.#staged[i], this.#stagedTimes[i] as number);
      this.#staged[i] = undefined;
    }
    this.#stagedCount = 0;
  }

  discard(): void {
    this.#staged.length = 0;
    this.#stagedCount = 0;
  }

  late(side: Side, row: unknown, time: number): void {
    this.lateRecords++;
    this.#late[side].emit(row, time);
  }

  /** User code has thrown outside of a record's own processing. */
  failed(error: unknown, row: () => unknown, time: number): void {
    this.#context.onRecordError(error, row, time);
  }

  flush(): void {
    this.#emitter.flush();
    this.#late[LEFT].flush();
    this.#late[RIGHT].flush();
  }
}

/**
 * The frame of every keyed operator with two inputs. No suspension points.
 *
 * TI1 both inputs share one key space and one watermark, the minimum over them by the idle rules of InputMerger.
 * TI2 everything due at a watermark leaves before the watermark does, on the main output and on both side outputs.
 * TI3 a record whose user code throws gives no result and enters no state; it is reported once.
 * TI4 the merged watermark is part of the snapshot: what was late stays late, and what was not is not (IM2).
 */
class TwoInputOperator implements MultiInputOperator {
  readonly inputs: readonly Output[];
  readonly #merger: InputMerger;
  readonly #context: OperatorContext;
  readonly #frame: TwoInputFrame;
  readonly #logic: TwoInputLogic;
  readonly #snapshots: KeyedSnapshots<object>;
  readonly #loops: readonly RowLoop[];
  readonly #outputs: readonly Output[];
  #idle = false;

  constructor(create: (frame: TwoInputFrame) => TwoInputLogic, context: OperatorContext) {
    const selectors = sharedKeys(context);
    const keys = createKeySpace(selectors[LEFT], context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    const late = [context.side(LATE_LEFT), context.side(LATE_RIGHT)] as const;
    this.#context = context;
    this.#outputs = [context.output, ...late];
    this.#snapshots = new KeyedSnapshots(keys, context.maxParallelism, {
      empty: () => this.#logic.emptyBody(),
      store: (slot, body, key) => this.#logic.store(slot, body as never, key),
    });
    this.#frame = new TwoInputFrame(context, keys, this.#snapshots, late);
    this.#logic = create(this.#frame);
    this.#loops = ([LEFT, RIGHT] as const).map((side) => this.#loop(side, selectors[side]));
    this.#merger = new InputMerger(2, {
      records: (input, records) => this.#records(input, records),
      watermark: (time) => this.#watermark(time),
      idle: () => this.#becomeIdle(),
    });
    this.inputs = this.#merger.inputs;
  }

  snapshot(): OperatorState {
    return {
      watermark: this.#frame.watermark,
      idle: this.#idle,
      items: [],
      ...this.#snapshots.take(),
    };
  }

  restore(parts: readonly OperatorState[]): void {
    const watermark = Math.min(...parts.map((part) => part.watermark));
    this.#frame.watermark = watermark;
    this.#merger.restore(watermark);
    this.#idle = parts.every((part) => part.idle);
    for (const part of parts) for (const group of part.groups.values()) this.#logic.restore(group);
  }

  counters(): OperatorCounters {
    return {
      keys: this.#frame.keys.size,
      timers: this.#logic.timers(),
      lateRecords: this.#frame.lateRecords,
    };
  }

  waiting(): Waiting | null {
    return this.#logic.waiting();
  }

  #records(input: number, records: Records): void {
    this.#idle = false;
    this.#frame.keys.reclaim();
    this.#loops[input]?.run(records);
    this.#frame.flush();
  }

  #watermark(time: number): void {
    this.#idle = false;
    this.#frame.watermark = time;
    this.#logic.advance(time);
    this.#frame.flush();
    for (const output of this.#outputs) output.watermark(time);
  }

  #becomeIdle(): void {
    this.#idle = true;
    for (const output of this.#outputs) output.idle();
  }

  #loop(side: Side, selector: KeySelector): RowLoop {
    const { keys } = this.#frame;
    const logic = this.#logic;
    const snapshots = this.#snapshots;
    const consumer: RowConsumer = {
      accept(row, time) {
        const slot = keys.slotOfRow(row, selector);
        snapshots.touch(slot);
        logic.record(side, row, time, slot);
      },
      generate(writer: LoopWriter, row: RowText) {
        const slot = writeKeySlot(writer, row, keys, selector);
        const object = row.object();
        writer.line(`${writer.bind('snapshots', snapshots)}.touch(${slot});`);
        writer.line(`${writer.bind('join', logic)}.record(${side}, ${object}, ${row.time}, ${slot});`);
      },
    };
    const context: OperatorContext = {
      ...this.#context,
      onRecordError: (error, row, time) => {
        this.#frame.discard();
        this.#context.onRecordError(error, row, time);
      },
    };
    return recordLoop(context, consumer, { index: side, name: side === LEFT ? 'left' : 'right' });
  }
}
