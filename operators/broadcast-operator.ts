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
import { KeyedState, type StoredStates } from './state/keyed-state.ts';
import { readersOf, type StateSpec } from './state/state-kinds.ts';

/** What a broadcast operator runs, type-erased. */
export interface BroadcastDefinition extends KeyedDefinition {
  readonly isKeyed: boolean;
  readonly broadcastState: StateSpec;
  readonly onRecord: (record: unknown, context: never) => void;
  readonly onBroadcast: (record: unknown, context: never) => void;
}

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
    const states: StoredStates = {};
    const place = () => ({ states, key: 0 });
    this.#broadcast.store(place, place);
    return { ...this.#runtime.snapshot(), broadcast: states };
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
    const accept = (row: unknown, time: number, slot = ONE_SLOT) => {
      runtime.focus(slot, time);
      onRecord(row, user);
    };
    return keys === null
      ? plainInput(this.#context, 'records', accept)
      : keyedInput(this.#context, runtime, { name: 'records', selector: keys, onRecord: accept });
  }

  #broadcastLoop({ onBroadcast, isKeyed }: BroadcastDefinition): RowLoop {
    const runtime = this.#runtime;
    const { keys, state } = runtime;
    const forEachKey = (visit: (key: unknown, state: unknown) => void) =>
      state.forEachSlot(keys, (slot) => {
        state.slot = slot;
        visit(keys.value(slot), state.handles);
      });
    const user = runtime.outputContext({
      broadcast: this.#broadcast.handles,
      ...(isKeyed ? { forEachKey } : {}),
    }) as never;
    return plainInput(this.#context, 'broadcast', (row, time) => {
      runtime.focus(ONE_SLOT, time);
      onBroadcast(row, user);
    });
  }
}
