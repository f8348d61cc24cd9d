import type { OpenStateBackend, Operator, OperatorDefinition } from '#engine';
import { describeKeyed } from './inspect/describe-states.ts';
import { ProcessOperator } from './process-operator.ts';
import type { ProcessContext } from './state/process-context.ts';
import type { Handles, StateSpec } from './state/state-kinds.ts';

export type { ProcessContext, Timers } from './state/process-context.ts';

/** A phantom that carries a type into `defineOperator`: `input: type<CartEvent>()`. */
export interface TypeOf<T> {
  readonly type?: T;
}

/** Names a type for inference. */
export const type = <T>(): TypeOf<T> => ({});

/** Side outputs of an operator by name. */
export type SideSpec = Readonly<Record<string, TypeOf<unknown>>>;
export type SidesOf<S> = { readonly [N in keyof S]: S[N] extends TypeOf<infer V> ? V : never };

/** A keyed operator with state and timers: a value, made by {@link defineOperator}. */
export interface KeyedOperator<in K, in In, out Out, out Sides> {
  readonly state: StateSpec;
  readonly sides?: SideSpec;
  readonly onRecord: (record: In, context: never) => void;
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly onProcessingTimer?: (firedAt: number, context: never) => void;
  readonly phantom?: (key: K) => readonly [Out, Sides];
}

/** What an operator does when its timers fire. */
export interface TimerFunctions<Context> {
  /** The watermark has reached `firedAt`, a time set by `timers.at`. */
  readonly onTimer?: (firedAt: number, context: Context) => void;
  /** The wall clock has reached `firedAt`, a time set by `timers.atProcessingTime`. */
  readonly onProcessingTimer?: (firedAt: number, context: Context) => void;
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
>(
  definition: {
    readonly key: TypeOf<K>;
    readonly input: TypeOf<In>;
    readonly output: TypeOf<Out>;
    readonly state?: S;
    readonly sides?: D;
    readonly onRecord: (record: In, context: ProcessContext<K, Out, Handles<S>, SidesOf<D>>) => void;
  } & TimerFunctions<ProcessContext<K, Out, Handles<S>, SidesOf<D>>>,
): KeyedOperator<K, In, Out, SidesOf<D>> {
  const { state, sides, onRecord } = definition;
  return {
    state: state ?? {},
    ...(sides === undefined ? {} : { sides }),
    onRecord: onRecord as (record: In, context: never) => void,
    ...timerFunctions(definition),
  };
}

/** The timer functions that a definition has, without the types of their contexts. */
export function timerFunctions<Context>(definition: TimerFunctions<Context>): TimerFunctions<never> {
  const { onTimer, onProcessingTimer } = definition as TimerFunctions<never>;
  return {
    ...(onTimer === undefined ? {} : { onTimer }),
    ...(onProcessingTimer === undefined ? {} : { onProcessingTimer }),
  };
}

/** The engine's side of a defined operator. @param backend where its state lives; in memory by default */
export function processOperator(
  operator: KeyedOperator<unknown, unknown, unknown, unknown>,
  backend?: OpenStateBackend,
): OperatorDefinition<Operator> {
  const sides = Object.keys(operator.sides ?? {});
  return {
    kind: 'process',
    sides,
    create: (context) => new ProcessOperator({ ...operator, sides }, context, backend),
    describeGroup: describeKeyed(operator.state),
  };
}
