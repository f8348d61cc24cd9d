import {
  heapStateBackend,
  InputMerger,
  invariant,
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
import { keyedInput, plainInput } from './state/keyed-input.ts';
import { type KeyedDefinition, KeyedRuntime } from './state/keyed-runtime.ts';
import { DraftStates } from './state/draft-states.ts';
import { KeyedState } from './state/keyed-state.ts';
import { readersOf, type StateSpec } from './state/state-kinds.ts';
import type { StoredStates } from './state/stored-states.ts';

/** What a broadcast operator runs, type-erased. */
export interface BroadcastDefinition extends KeyedDefinition {
  readonly isKeyed: boolean;
  readonly broadcastState: StateSpec;
  readonly onRecord: (record: unknown, context: never) => void;
  readonly onBroadcast: (record: unknown, context: never) => void;
}

const RECORDS = { index: 0, name: 'records' };
const BROADCAST = { index: 1, name: 'broadcast' };

/** Broadcast state has one cell per state: it is kept as the state of one key. */
const ONE_SLOT = 0;
/** Stands in for the key of records that have none; no state is kept under it. */
const NO_KEY: KeySelector = { kind: 'function', select: () => 0 };

/**
 * Runs an operator on a stream (keyed or not) and a broadcast stream; rules on keys, state and timers in keyed-runtime.ts.
 *
 * BO1 broadcast state is written by broadcast records only; every subtask gets all of them.
 * BO2 a restored subtask takes the broadcast state of the subtask with its number, or of the first where there was none: one
 *     copy, whole.
 * BO3 event time is merged over both inputs.
 */
export class BroadcastOperator implements MultiInputOperator {
  readonly inputs: readonly Output[];
  readonly #context: OperatorContext;
  readonly #runtime: KeyedRuntime;
  readonly #broadcast: KeyedState;
  readonly #merger: InputMerger;

  constructor(definition: BroadcastDefinition, context: OperatorContext, backend?: OpenStateBackend) {
    const [keys = null] = context.inputKeys;
    invariant(
      definition.isKeyed === (keys !== null),
      `operator '${context.operator}' has a first input of the other kind`,
    );
    this.#context = context;
    this.#broadcast = new KeyedState(
      definition.broadcastState,
      context.operator,
      heapStateBackend({ hold() {}, drop() {} }),
    );
    this.#broadcast.slot = ONE_SLOT;
    const readers = { broadcast: readersOf(this.#broadcast.handles) };
    this.#runtime = new KeyedRuntime(definition, context, {
      keys: keys ?? NO_KEY,
      backend,
      more: readers,
    });
    const loops = [this.#recordLoop(definition, keys), this.#broadcastLoop(definition)];
    this.#merger = new InputMerger(2, {
      records: (i, records) => {
        this.#runtime.begin();
        loops[i]?.run(records);
        this.#runtime.end();
      },
      watermark: (time) => this.#runtime.watermark(time),
      idle: () => this.#runtime.idle(),
    });
    this.inputs = this.#merger.inputs;
  }

  poll(): void {
    this.#runtime.poll();
  }

  snapshot(): OperatorState {
    const states = new DraftStates();
    this.#broadcast.storeSlot(ONE_SLOT, states, 0);
    return { ...this.#runtime.snapshot(), broadcast: states.stored() };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#runtime.restore(parts);
    this.#merger.restore(this.#runtime.eventTime);
    const part = parts[this.#context.subtask] ?? parts[0];
    if (part?.broadcast !== undefined) this.#broadcast.restore(part.broadcast as StoredStates, [ONE_SLOT]);
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

  #recordLoop({ onRecord }: BroadcastDefinition, keys: KeySelector | null): RowLoop {
    const runtime = this.#runtime;
    const user = runtime.user as never;
    if (keys === null)
      return plainInput(this.#context, RECORDS, (row, time) => {
        runtime.focusNone(time);
        onRecord(row, user);
      });
    return keyedInput(this.#context, runtime, {
      ...RECORDS,
      selector: keys,
      user: onRecord,
      onRecord(row, time, slot) {
        runtime.focus(slot, time);
        onRecord(row, user);
      },
    });
  }

  #broadcastLoop({ onBroadcast, isKeyed }: BroadcastDefinition): RowLoop {
    const runtime = this.#runtime;
    const { handles } = runtime.state;
    const forEachKey = (visit: (key: unknown, state: unknown) => void) =>
      runtime.forEachKey((key) => visit(key, handles));
    const user = runtime.outputContext({
      broadcast: this.#broadcast.handles,
      ...(isKeyed ? { forEachKey } : {}),
    }) as never;
    return plainInput(this.#context, BROADCAST, (row, time) => {
      runtime.focusNone(time);
      onBroadcast(row, user);
    });
  }
}
