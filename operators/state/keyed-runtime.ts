import {
  createKeySpace,
  type FieldKeySpace,
  KeyedSnapshots,
  type KeySelector,
  MIN_WATERMARK,
  type OpenStateBackend,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  type StoredKeyGroup,
  plusSaturating,
  type ValueKeySpace,
  type Waiting,
} from '#engine';
import { DraftStates } from './draft-states.ts';
import { KeyTimers } from './key-timers.ts';
import { heapState, KeyedState } from './keyed-state.ts';
import { NamedOutputs } from './named-outputs.ts';
import type { OutputContext, ProcessContext } from './process-context.ts';
import type { StateSpec } from './state-kinds.ts';
import type { StoredStates } from './stored-states.ts';
import { DraftTimers, listedTimers, type StoredTimers } from './stored-timers.ts';

/** What a defined operator has beside its functions on records, type-erased. */
export interface KeyedDefinition {
  readonly state: StateSpec;
  readonly sides: readonly string[];
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly onProcessingTimer?: (firedAt: number, context: never) => void;
}

/** What one key group stores of its keys, named by their numbers. */
interface KeyedBody {
  readonly state: StoredStates;
  readonly timers: StoredTimers;
  /** Missing where it was written before there were any. */
  readonly processingTimers?: StoredTimers;
}

/** The same in the making. */
interface KeyedDraft {
  readonly states: DraftStates;
  readonly timers: DraftTimers;
  readonly processingTimers: DraftTimers;
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
  readonly #snapshots: KeyedSnapshots<KeyedDraft, KeyedBody>;
  #time = 0;
  #watermark = MIN_WATERMARK;
  #idle = false;
  /** Processing time of the last snapshot: what had expired by then is not in it. */
  #snapshotAt = 0;

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
    this.keys = createKeySpace(options.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
      expect: (slots, count) => this.state.reach(slots, count),
    });
    this.#snapshots = new KeyedSnapshots<KeyedDraft, KeyedBody>(this.keys, context.maxParallelism, {
      empty: () => ({
        states: new DraftStates(),
        timers: new DraftTimers(),
        processingTimers: new DraftTimers(),
      }),
      store: (slot, draft, key) => this.#store(slot, draft, key),
      reserve: ({ states }, keys, arrays) => states.reserve(keys, arrays),
      body: ({ states, timers, processingTimers }, arrays) => ({
        state: states.stored(arrays),
        timers: timers.stored(arrays),
        processingTimers: processingTimers.stored(arrays),
      }),
    });
    const openBackend = options.backend ?? context.openState ?? heapState;
    const backend = openBackend(this.keys, {
      leaves: (slot) => this.#snapshots.move(slot),
      expired: (group) => this.#snapshots.touchGroup(group),
    });
    const touch = (slot: number) => this.#snapshots.touch(slot);
    this.state = new KeyedState(definition.state, context.operator, backend, touch);
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

  /** Before each call of a user function that has a key (PO1); it may change what is kept of it. */
  focus(slot: number, time: number): void {
    this.#snapshots.touch(slot);
    this.state.slot = slot;
    this.#time = time;
  }

  /** The same for one that has no key. */
  focusNone(time: number): void {
    this.#time = time;
  }

  /** Calls `visit` for every key that has state, with that key in focus. */
  forEachKey(visit: (key: unknown) => void): void {
    this.state.forEachSlot(this.keys, (slot) => {
      this.focus(slot, this.#time);
      visit(this.keys.value(slot));
    });
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
    this.#snapshotAt = this.state.now;
    // What follows reclaims slots.
    this.state.settle();
    const spilled = this.state.freezeSpilled();
    const taken = this.#snapshots.take(
      spilled === null
        ? null
        : {
            addTo: ({ states }, group, place) => {
              const { now } = this.state;
              this.state.now = this.#snapshotAt;
              spilled.store(group, states, place);
              this.state.now = now;
            },
            release: spilled.release,
          },
    );
    return { watermark: this.#watermark, idle: this.#idle, items: [], ...taken };
  }

  /** @throws MR_STATE_INCOMPATIBLE */
  restore(parts: readonly OperatorState[]): void {
    this.state.now = this.#context.clock.now();
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    for (const part of parts)
      for (const [number, group] of part.groups as ReadonlyMap<number, StoredKeyGroup<KeyedBody>>) {
        this.#restoreGroup(number, group);
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

  #store(slot: number, { states, timers, processingTimers }: KeyedDraft, key: number): boolean {
    const { now } = this.state;
    this.state.now = this.#snapshotAt;
    let isKept = this.state.storeSlot(slot, states, key);
    this.state.now = now;
    this.#timers.forEachOf(slot, (time) => {
      timers.add(key, time);
      isKept = true;
    });
    this.#timers.forEachProcessingOf(slot, (time) => {
      processingTimers.add(key, time);
      isKept = true;
    });
    return isKept;
  }

  #restoreGroup(number: number, { keys, state, timers, processingTimers }: StoredKeyGroup<KeyedBody>): void {
    const slots = this.keys.slotsOf(keys);
    const isCurrent = this.state.restore(state, slots);
    // Old forms are stored anew, so that upgrades need not be kept for ever.
    if (!isCurrent || processingTimers === undefined) this.#snapshots.touchGroup(number);
    const { keys: timed, times } = listedTimers(timers);
    for (let i = 0; i < timed.length; i++)
      this.#timers.add(slots[timed[i] as number] as number, times[i] as number);
    const processing = listedTimers(processingTimers ?? []);
    for (let i = 0; i < processing.keys.length; i++)
      this.#timers.addProcessing(
        slots[processing.keys[i] as number] as number,
        processing.times[i] as number,
      );
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
