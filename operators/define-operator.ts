import type { Operator, OperatorDefinition } from '#engine';
import { ProcessOperator } from './process-operator.ts';

/** A phantom that carries a type into `defineOperator`: `input: type<CartEvent>()`. */
export interface TypeOf<T> {
  readonly type?: T;
}

/** Names a type for inference. */
export const type = <T>(): TypeOf<T> => ({});

/** A value per key, declared in an operator's `state`. */
export interface ValueState<V> {
  readonly kind: 'value';
  readonly value?: V;
}

/**
 * State: one value per key, undefined until set. Values are plain data (they are part of snapshots); replace them by `set`
 * instead of changing them in place.
 */
export const valueState = <V>(): ValueState<V> => ({ kind: 'value' });

/** Handle on one value of the current key. */
export interface ValueHandle<V> {
  readonly get: () => V | undefined;
  readonly set: (value: V) => void;
  readonly clear: () => void;
}

type StateSpec = Readonly<Record<string, ValueState<unknown>>>;
type Handles<S> = { readonly [N in keyof S]: S[N] extends ValueState<infer V> ? ValueHandle<V> : never };
type SideSpec = Readonly<Record<string, TypeOf<unknown>>>;
type SidesOf<S> = { readonly [N in keyof S]: S[N] extends TypeOf<infer V> ? V : never };

/** Event-time timers of the current key, deduplicated per time. */
export interface Timers {
  /** Calls `onTimer` when the watermark reaches `time` (epoch ms); at the next watermark when that has passed (in `onTimer`: the time that fired or earlier). */
  readonly at: (time: number) => void;
  readonly delete: (time: number) => void;
}

/** What an operator's functions work with. Valid during the call only. */
export interface ProcessContext<K, Out, State, Sides> {
  readonly key: K;
  /** Event time of the record, or of the timer that fired, epoch ms. */
  readonly timestamp: number;
  /** Current watermark. */
  readonly watermark: number;
  readonly state: State;
  readonly timers: Timers;
  /** Emits with {@link timestamp}. */
  readonly emit: (record: Out) => void;
  /** Emits to a named side output. */
  readonly side: { readonly [N in keyof Sides]: (record: Sides[N]) => void };
}

/** A keyed operator with state and timers: a value, made by {@link defineOperator}. */
export interface KeyedOperator<in K, in In, out Out, out Sides> {
  readonly state: StateSpec;
  readonly sides?: SideSpec;
  readonly onRecord: (record: In, context: never) => void;
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly phantom?: (key: K) => readonly [Out, Sides];
}

/**
 * Defines a keyed operator. All functions are synchronous; waiting belongs in `asyncMap`.
 * @example
 * const firstSeen = defineOperator({
 *   key: type<{ deviceId: string }>(), input: type<Reading>(), output: type<{ device: string; at: number }>(),
 *   state: { seen: valueState<boolean>() },
 *   onRecord(reading, { key, state, emit, timestamp }) {
 *     if (state.seen.get()) return;
 *     state.seen.set(true);
 *     emit({ device: key.deviceId, at: timestamp });
 *   },
 * });
 */
export function defineOperator<
  K,
  In,
  Out,
  const S extends StateSpec = Record<never, never>,
  const D extends SideSpec = Record<never, never>,
>(definition: {
  readonly key: TypeOf<K>;
  readonly input: TypeOf<In>;
  readonly output: TypeOf<Out>;
  readonly state?: S;
  readonly sides?: D;
  readonly onRecord: (record: In, context: ProcessContext<K, Out, Handles<S>, SidesOf<D>>) => void;
  readonly onTimer?: (firedAt: number, context: ProcessContext<K, Out, Handles<S>, SidesOf<D>>) => void;
}): KeyedOperator<K, In, Out, SidesOf<D>> {
  const { state, sides, onRecord, onTimer } = definition;
  return {
    state: state ?? {},
    ...(sides === undefined ? {} : { sides }),
    onRecord: onRecord as (record: In, context: never) => void,
    ...(onTimer === undefined ? {} : { onTimer: onTimer as (firedAt: number, context: never) => void }),
  };
}

/** The engine's side of a defined operator. */
export function processOperator(
  operator: KeyedOperator<unknown, unknown, unknown, unknown>,
): OperatorDefinition<Operator> {
  return {
    kind: 'process',
    sides: Object.keys(operator.sides ?? {}),
    create: (context) => new ProcessOperator(operator, context),
  };
}
