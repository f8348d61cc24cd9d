import type { TypeOf } from '../define-operator.ts';
import type { Handles, StateSpec } from '../state/state-kinds.ts';
import type { TimeWindow } from './assigner.ts';

type SideSpec = Readonly<Record<string, TypeOf<unknown>>>;
type SidesOf<S> = { readonly [N in keyof S]: S[N] extends TypeOf<infer V> ? V : never };

/** What a window function's `clear` works with. Valid during the call only. */
export interface WindowClearContext<K, State, KeyState> {
  readonly key: K;
  /** Of a global window `{ start: MIN_WATERMARK, end: MAX_WATERMARK }`. */
  readonly window: TimeWindow;
  /** The watermark that has been reached, epoch ms. */
  readonly watermark: number;
  /** The clock, epoch ms. */
  readonly processingTime: number;
  /** Of this key and window; kept from firing to firing and dropped with the window. */
  readonly state: State;
  /** Of this key, whatever the window; never dropped by itself. */
  readonly keyState: KeyState;
}

/** What a window function's `process` works with. Valid during the call only. */
export interface WindowProcessContext<K, Out, State, KeyState, Sides>
  extends WindowClearContext<K, State, KeyState> {
  /**
   * Emits with the window's `end − 1`; from a global window with the newest event time of its contents, but later than the last
   * watermark handed on, so that no result is late.
   */
  readonly emit: (record: Out) => void;
  /** Emits to a named side output, with the same time. */
  readonly side: { readonly [N in keyof Sides]: (record: Sides[N]) => void };
}

/** A function over a window's elements: a value, made by {@link defineWindowFunction}. */
export interface WindowFunction<in K, in In, out Out, out Sides> {
  readonly state: StateSpec;
  readonly keyState: StateSpec;
  readonly sides: SideSpec;
  readonly process: (elements: Iterable<In>, context: never) => void;
  readonly clear: ((context: never) => void) | null;
  readonly phantom?: (key: K) => readonly [Out, Sides];
}

/**
 * Defines what happens when a window fires, with all its elements at hand. All functions are synchronous.
 *
 * `process` is called at every firing with what the window holds, in order of arrival (windows that have merged: one after the other,
 * earliest first); elements belong to the operator, do not change or keep them. Over an aggregate it gets one element, its value. What
 * it emits before it throws is not emitted; state that it set stays. `clear` is called when the window goes, after its last firing.
 *
 * A window's elements are state: they take memory and checkpoint space until the window is purged or goes. Where an aggregate will do,
 * put the function over the aggregate instead.
 * @example
 * const median = defineWindowFunction({
 *   input: type<Reading>(), output: type<{ end: number; median: number }>(),
 *   process(elements, { window, emit }) {
 *     const sorted = Array.from(elements, (it) => it.temperature).sort((a, b) => a - b);
 *     emit({ end: window.end, median: sorted[sorted.length >> 1] as number });
 *   },
 * });
 */
export function defineWindowFunction<
  In,
  Out,
  K = unknown,
  const S extends StateSpec = Record<never, never>,
  const G extends StateSpec = Record<never, never>,
  const D extends SideSpec = Record<never, never>,
>(definition: {
  readonly key?: TypeOf<K>;
  readonly input: TypeOf<In>;
  readonly output: TypeOf<Out>;
  /** Values per key and window. Not with session windows: nobody could say what becomes of them when windows merge. */
  readonly state?: S;
  /** Values per key. */
  readonly keyState?: G;
  readonly sides?: D;
  readonly process: (
    elements: Iterable<In>,
    context: WindowProcessContext<K, Out, Handles<S>, Handles<G>, SidesOf<D>>,
  ) => void;
  readonly clear?: (context: WindowClearContext<K, Handles<S>, Handles<G>>) => void;
}): WindowFunction<K, In, Out, SidesOf<D>> {
  const { state, keyState, sides, process, clear } = definition;
  return {
    state: state ?? {},
    keyState: keyState ?? {},
    sides: sides ?? {},
    process: process as (elements: Iterable<In>, context: never) => void,
    clear: (clear ?? null) as ((context: never) => void) | null,
  };
}
