import {
  InputMerger,
  type KeySelector,
  type MultiInputOperator,
  type OpenStateBackend,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  type Output,
  type RowLoop,
  type Waiting,
} from '#engine';
import { sharedKeys } from './shared-keys.ts';
import { keyedInput } from './state/keyed-input.ts';
import { type KeyedDefinition, KeyedRuntime } from './state/keyed-runtime.ts';

/** What a co-process operator runs, type-erased. */
export interface CoProcessDefinition extends KeyedDefinition {
  readonly onLeft: (record: unknown, context: never) => void;
  readonly onRight: (record: unknown, context: never) => void;
}

/**
 * Runs a keyed operator's functions on two inputs with one key space; rules in keyed-runtime.ts.
 *
 * CO1 both inputs' records of a key see the same state and timers.
 * CO2 event time is merged over both inputs (input-merger.ts); timers fire, and the watermark is handed on, when the merged one rises.
 */
export class CoProcessOperator implements MultiInputOperator {
  readonly inputs: readonly Output[];
  readonly #runtime: KeyedRuntime;
  readonly #merger: InputMerger;

  constructor(definition: CoProcessDefinition, context: OperatorContext, backend?: OpenStateBackend) {
    const [left, right] = sharedKeys(context);
    const runtime = new KeyedRuntime(definition, context, { keys: left, backend });
    const user = runtime.user as never;
    const input = (
      index: number,
      name: string,
      selector: KeySelector,
      run: (record: unknown, context: never) => void,
    ): RowLoop =>
      keyedInput(context, runtime, {
        index,
        name,
        selector,
        user: run,
        onRecord(row, time, slot) {
          runtime.focus(slot, time);
          run(row, user);
        },
      });
    const loops = [input(0, 'left', left, definition.onLeft), input(1, 'right', right, definition.onRight)];
    this.#runtime = runtime;
    this.#merger = new InputMerger(2, {
      records(i, records) {
        runtime.begin();
        loops[i]?.run(records);
        runtime.end();
      },
      watermark: (time) => runtime.watermark(time),
      idle: () => runtime.idle(),
    });
    this.inputs = this.#merger.inputs;
  }

  poll(): void {
    this.#runtime.poll();
  }

  snapshot(): OperatorState {
    return this.#runtime.snapshot();
  }

  restore(parts: readonly OperatorState[]): void {
    this.#runtime.restore(parts);
    this.#merger.restore(this.#runtime.eventTime);
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
