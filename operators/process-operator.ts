import {
  argumentText,
  invariant,
  type LoopWriter,
  type OpenStateBackend,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  type Records,
  type RowLoop,
  type RowText,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { recordLoop } from './record-loop.ts';
import { type KeyedDefinition, KeyedRuntime } from './state/keyed-runtime.ts';

/** What a process operator runs, type-erased. */
export interface ProcessDefinition extends KeyedDefinition {
  readonly onRecord: (record: unknown, context: never) => void;
}

/** Runs a keyed operator's functions on one input; rules in keyed-runtime.ts. */
export class ProcessOperator implements Operator {
  readonly #onRecord: (record: unknown, context: never) => void;
  readonly #runtime: KeyedRuntime;
  readonly #loop: RowLoop;
  readonly #user: never;

  constructor(definition: ProcessDefinition, context: OperatorContext, backend?: OpenStateBackend) {
    invariant(context.keys !== null, `operator '${context.operator}' needs a keyed input`);
    this.#onRecord = definition.onRecord;
    this.#runtime = new KeyedRuntime(definition, context, { keys: context.keys, backend });
    this.#user = this.#runtime.user as never;
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#runtime.begin();
    this.#loop.run(records);
    this.#runtime.end();
  }

  accept(row: unknown, time: number): void {
    this.process(row, time, this.#runtime.keys.slotOfRow(row));
  }

  generate(writer: LoopWriter, row: RowText): void {
    const slot = writeKeySlot(writer, row, this.#runtime.keys);
    const record = argumentText(row, this.#onRecord);
    writer.line(`${writer.bind('operator', this)}.process(${record}, ${row.time}, ${slot});`);
  }

  process(row: unknown, time: number, slot: number): void {
    this.#runtime.focus(slot, time);
    this.#onRecord(row, this.#user);
  }

  watermark(time: number): void {
    this.#runtime.watermark(time);
  }

  idle(): void {
    this.#runtime.idle();
  }

  poll(): void {
    this.#runtime.poll();
  }

  snapshot(): OperatorState {
    return this.#runtime.snapshot();
  }

  restore(parts: readonly OperatorState[]): void {
    this.#runtime.restore(parts);
  }

  counters(): OperatorCounters {
    return this.#runtime.counters();
  }

  waiting(): Waiting | null {
    return this.#runtime.waiting();
  }

  async close(): Promise<void> {
    await this.#runtime.close();
  }
}
