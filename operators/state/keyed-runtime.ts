import {
  createKeySpace,
  type FieldKeySpace,
  KeyGroupWriter,
  keyGroupRange,
  type KeySelector,
  LazyGroups,
  MIN_WATERMARK,
  type OpenStateBackend,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  plusSaturating,
  type ValueKeySpace,
  type Waiting,
} from '#engine';
import { KeyTimers } from './key-timers.ts';
import { heapState, KeyedState, type StoredState, type StoredStates } from './keyed-state.ts';
import { NamedOutputs } from './named-outputs.ts';
import type { OutputContext, ProcessContext } from './process-context.ts';
import type { StateSpec } from './state-kinds.ts';

/** What a defined operator has beside its functions on records, type-erased. */
export interface KeyedDefinition {
  readonly state: StateSpec;
  readonly sides: readonly string[];
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly onProcessingTimer?: (firedAt: number, context: never) => void;
}

/** One key group as stored: keys, and by position in them their state and timers. */
interface StoredKeyGroup {
  readonly keys: Uint8Array[];
  readonly state: StoredStates;
  readonly timers: [key: number, time: number][];
  /** Missing where it was written before there were any. */
  readonly processingTimers?: [key: number, time: number][];
}

interface NewKeyGroup extends StoredKeyGroup {
  readonly processingTimers: [key: number, time: number][];
}

type AnyContext = ProcessContext<unknown, unknown, Record<string, unknown>, Record<string, unknown>>;

/**
 * What runs the user functions of a keyed operator, however many inputs it has: keys, their state and timers, outputs, event time,
 * and all of it in snapshots. State and timers are found by the key's slot and hold it. No suspension points.
 *
 * PO1 the user's functions see one key at a time; {@link focus} sets it and the time before each call.
 * PO2 timers fire in time order when the watermark reaches them, before the watermark is handed on.
 * PO3 what a firing timer sets never fires in the same breath for ever (KT2, KT3).
 */
export class KeyedRuntime {
  readonly keys: FieldKeySpace | ValueKeySpace;
  readonly state: KeyedState;
  /** What functions on keyed records and timers get: one object, which shows whatever is in focus. */
  readonly user: AnyContext;
  readonly #definition: KeyedDefinition;
  readonly #context: OperatorContext;
  readonly #timers: KeyTimers;
  readonly #outputs: NamedOutputs;
  #time = 0;
  #watermark = MIN_WATERMARK;
  #idle = false;

  constructor(
    definition: KeyedDefinition,
    context: OperatorContext,
    options: {
      readonly keys: KeySelector;
      readonly backend?: OpenStateBackend | undefined;
      /** More for {@link user} to have. */
      readonly more?: object;
    },
  ) {
    this.#definition = definition;
    this.#context = context;
    this.keys = createKeySpace(options.keys, context.maxParallelism);
    this.state = new KeyedState(
      definition.state,
      context.operator,
      (options.backend ?? context.openState ?? heapState)(this.keys),
    );
    this.#timers = new KeyTimers(context, this.keys.slots, this.state, {
      event: definition.onTimer !== undefined,
      processing: definition.onProcessingTimer !== undefined,
    });
    this.#outputs = new NamedOutputs(context, definition.sides);
    const ofKey = { state: this.state.handles, timers: this.#timers.handle };
    this.user = this.outputContext({ ...ofKey, ...options.more }) as AnyContext;
    Object.defineProperty(this.user, 'key', {
      get: () => this.keys.value(this.state.slot),
      enumerable: true,
    });
  }

  /** Watermark reached. */
  get eventTime(): number {
    return this.#watermark;
  }

  /** A context without a key, with `more` in it; to be made once. */
  outputContext(more: object): OutputContext<unknown, Record<string, unknown>> {
    const { state } = this;
    const { main, sides } = this.#outputs;
    const time = () => this.#time;
    const watermark = () => this.#watermark;
    const emitters = [...sides].map(
      ([name, emitter]) => [name, (record: unknown) => emitter.emit(record, this.#time)] as const,
    );
    const context: OutputContext<unknown, Record<string, unknown>> = {
      get timestamp() {
        return time();
      },
      get watermark() {
        return watermark();
      },
      get processingTime() {
        return state.now;
      },
      emit: (record) => main.emit(record, this.#time),
      side: Object.fromEntries(emitters),
    };
    return Object.assign(context, more);
  }

  /** Before each batch. */
  begin(): void {
    this.#idle = false;
    this.state.settle();
    this.keys.reclaim();
    this.state.now = this.#context.clock.now();
  }

  /** Before each call of a user function (PO1). */
  focus(slot: number, time: number): void {
    this.state.slot = slot;
    this.#time = time;
  }

  /** After each batch. */
  end(): void {
    this.#outputs.flush();
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#idle = false;
    this.#watermark = time;
    this.state.now = this.#context.clock.now();
    this.#timers.fireAt(time, (slot, at) => {
      this.focus(slot, at);
      this.#call(this.#definition.onTimer, 'timer', at);
    });
    this.#outputs.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#outputs.idle();
  }

  /** Fires processing-time timers; in every turn. */
  poll(): void {
    this.#timers.fireProcessing((slot, at) => {
      this.state.now = this.#context.clock.now();
      this.focus(slot, Math.max(at, plusSaturating(this.#watermark, 1)));
      this.#call(this.#definition.onProcessingTimer, 'processingTimer', at);
    });
    this.#outputs.flush();
  }

  snapshot(): OperatorState {
    this.state.now = this.#context.clock.now();
    const writer = new KeyGroupWriter<NewKeyGroup>(this.keys, emptyGroup);
    const place = (slot: number) => {
      const { group, key } = writer.place(slot);
      return { states: group.state, key };
    };
    const spilled = this.state.freezeSpilled();
    if (spilled !== null) this.state.storeHot(place);
    else
      this.state.store(place, (canonical, number) => {
        const { group, key } = writer.placeKey(canonical, number);
        return { states: group.state, key };
      });
    this.#timers.forEach((slot, time) => {
      const { group, key } = writer.place(slot);
      group.timers.push([key, time]);
    });
    this.#timers.forEachProcessing((slot, time) => {
      const { group, key } = writer.place(slot);
      group.processingTimers.push([key, time]);
    });
    const groups = spilled === null ? writer.groups : this.#groupsWith(writer.groups, spilled);
    return { watermark: this.#watermark, idle: this.#idle, items: [], groups };
  }

  /** @throws MR_STATE_INCOMPATIBLE */
  restore(parts: readonly OperatorState[]): void {
    this.state.now = this.#context.clock.now();
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    for (const part of parts)
      for (const group of part.groups.values() as Iterable<StoredKeyGroup>) {
        this.#restoreGroup(group);
        // A state backend that moves cells out of memory must not wait until all are in it.
        this.state.settle();
        this.keys.reclaim();
      }
  }

  counters(): OperatorCounters {
    return { keys: this.keys.size, timers: this.#timers.size, lateRecords: 0 };
  }

  waiting(): Waiting | null {
    return this.#timers.waiting();
  }

  async close(): Promise<void> {
    this.#timers.close();
    await this.state.close();
  }

  /** What is in memory has been taken; what is not is added when a group is asked for. */
  #groupsWith(
    hot: ReadonlyMap<number, NewKeyGroup>,
    spilled: NonNullable<ReturnType<KeyedState['freezeSpilled']>>,
  ): ReadonlyMap<number, StoredKeyGroup> {
    const { subtask, parallelism, maxParallelism } = this.#context;
    const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return new LazyGroups(numbers, (number) => {
      const group = copyOfGroup(hot.get(number) ?? emptyGroup());
      spilled(number, (key) => ({ states: group.state, key: group.keys.push(key) - 1 }));
      return group;
    });
  }

  #restoreGroup({ keys, state, timers, processingTimers = [] }: StoredKeyGroup): void {
    const slots = keys.map((key) => this.keys.slotOfCanonical(key));
    this.state.restore(state, slots);
    for (const [key, time] of timers) this.#timers.add(slots[key] as number, time);
    for (const [key, time] of processingTimers) this.#timers.addProcessing(slots[key] as number, time);
  }

  #call(handler: KeyedDefinition['onTimer'], what: string, at: number): void {
    try {
      handler?.(at, this.user as never);
    } catch (error) {
      const key = this.keys.value(this.state.slot);
      this.#context.onRecordError(error, () => ({ [what]: at, key }), at);
    }
  }
}

function emptyGroup(): NewKeyGroup {
  return { keys: [], state: {}, timers: [], processingTimers: [] };
}

/** A group that more can be added to. */
function copyOfGroup(group: NewKeyGroup): NewKeyGroup {
  const states = Object.entries(group.state as Record<string, StoredState>);
  const state = Object.fromEntries(states.map(([name, it]) => [name, { ...it, cells: it.cells.slice() }]));
  return { ...group, keys: group.keys.slice(), state };
}
