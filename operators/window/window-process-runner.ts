import { heapStateBackend, type OperatorContext, type Output, RowEmitter, type SlotTable } from '#engine';
import { KeyedState } from '../state/keyed-state.ts';
import type { TimeWindow } from './assigner.ts';
import type { OpenWindow, WindowStore } from './general-window-store.ts';
import type { WindowClearContext, WindowFunction, WindowProcessContext } from './window-process.ts';

type States = Readonly<Record<string, unknown>>;
type Sides = Readonly<Record<string, unknown>>;
/** A window's id is taken until the window goes, and its state goes first. */
const WITHOUT_HOLDERS = { hold: () => {}, drop: () => {} };
type Emission = readonly [emitter: RowEmitter, row: unknown];

/**
 * Calls a window function, one window at a time: its state, its output and what it may see.
 *
 * WP1 what `process` emits goes out when it has returned; when it throws, nothing of it does.
 * WP2 state per window is indexed by the window's id and is cleared with the window; state per key is indexed by the key's slot.
 */
export class WindowProcessRunner {
  readonly keyState: KeyedState;
  readonly windowState: KeyedState;
  readonly #function: WindowFunction<unknown, unknown, unknown, unknown>;
  readonly #context: OperatorContext;
  readonly #keyOf: (slot: number) => unknown;
  readonly #store: WindowStore;
  readonly #emitter: RowEmitter;
  readonly #sides: { readonly name: string; readonly output: Output; readonly emitter: RowEmitter }[];
  readonly #user: WindowProcessContext<unknown, unknown, States, States, Sides>;
  readonly #clearing: WindowClearContext<unknown, States, States>;
  #window: OpenWindow | null = null;
  #emissions: Emission[] = [];

  constructor(
    fn: WindowFunction<unknown, unknown, unknown, unknown>,
    context: OperatorContext,
    operator: {
      readonly keyOf: (slot: number) => unknown;
      readonly slots: SlotTable;
      readonly store: WindowStore;
      readonly emitter: RowEmitter;
    },
  ) {
    this.#function = fn;
    this.#context = context;
    this.#keyOf = operator.keyOf;
    this.#store = operator.store;
    this.#emitter = operator.emitter;
    this.keyState = new KeyedState(fn.keyState, context.operator, heapStateBackend(operator.slots));
    this.windowState = new KeyedState(fn.state, context.operator, heapStateBackend(WITHOUT_HOLDERS));
    this.#sides = Object.keys(fn.sides).map((name) => {
      const output = context.side(name);
      return { name, output, emitter: new RowEmitter(output) };
    });
    this.#clearing = this.#clearContext();
    this.#user = this.#processContext();
  }

  /** Whether the function has declared state. */
  get hasState(): boolean {
    return Object.keys(this.#function.keyState).length + Object.keys(this.#function.state).length > 0;
  }

  /** Gives what the function makes of the elements, with `time`. */
  run(window: OpenWindow, elements: Iterable<unknown>, time: number): void {
    this.#enter(window);
    this.#emissions = [];
    this.#function.process(elements, this.#user as never);
    for (const [emitter, row] of this.#emissions) emitter.emit(row, time);
  }

  /** The window is about to go. Its state goes also when the user's function throws. */
  clear(window: OpenWindow): void {
    this.#enter(window);
    try {
      this.#function.clear?.(this.#clearing as never);
    } finally {
      for (const handle of Object.values(this.windowState.handles)) (handle as { clear(): void }).clear();
    }
  }

  flush(): void {
    for (const { emitter } of this.#sides) emitter.flush();
  }

  watermark(time: number): void {
    for (const { output } of this.#sides) output.watermark(time);
  }

  idle(): void {
    for (const { output } of this.#sides) output.idle();
  }

  #enter(window: OpenWindow): void {
    const now = this.#context.clock.now();
    this.#window = window;
    this.keyState.slot = window.slot;
    this.keyState.now = now;
    this.windowState.slot = window.id;
    this.windowState.now = now;
  }

  #clearContext(): WindowClearContext<unknown, States, States> {
    const key = () => this.#keyOf(this.#current().slot);
    const window = (): TimeWindow => ({ start: this.#current().start, end: this.#current().end });
    const watermark = () => this.#store.watermark;
    const now = () => this.#context.clock.now();
    return {
      get key() {
        return key();
      },
      get window() {
        return window();
      },
      get watermark() {
        return watermark();
      },
      get processingTime() {
        return now();
      },
      state: this.windowState.handles,
      keyState: this.keyState.handles,
    };
  }

  #processContext(): WindowProcessContext<unknown, unknown, States, States, Sides> {
    const emitTo = (emitter: RowEmitter) => (row: unknown) => void this.#emissions.push([emitter, row]);
    return Object.defineProperties(
      {
        emit: emitTo(this.#emitter),
        side: Object.fromEntries(this.#sides.map(({ name, emitter }) => [name, emitTo(emitter)])),
      },
      Object.getOwnPropertyDescriptors(this.#clearing),
    ) as WindowProcessContext<unknown, unknown, States, States, Sides>;
  }

  #current(): OpenWindow {
    return this.#window as OpenWindow;
  }
}
