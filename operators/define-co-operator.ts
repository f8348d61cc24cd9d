import type { MultiInputOperator, OpenStateBackend, OperatorDefinition } from '#engine';
import { CoProcessOperator } from './co-process-operator.ts';
import {
  type SideSpec,
  type SidesOf,
  type TimerFunctions,
  timerFunctions,
  type TypeOf,
} from './define-operator.ts';
import { describeKeyed } from './inspect/describe-states.ts';
import type { ProcessContext } from './state/process-context.ts';
import type { Handles, StateSpec } from './state/state-kinds.ts';

/** An operator on two streams with one key: a value, made by {@link defineCoOperator}. */
export interface KeyedCoOperator<in K, in Left, in Right, out Out, out Sides> {
  readonly state: StateSpec;
  readonly sides?: SideSpec;
  readonly onLeft: (record: Left, context: never) => void;
  readonly onRight: (record: Right, context: never) => void;
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly onProcessingTimer?: (firedAt: number, context: never) => void;
  readonly phantom?: (key: K) => readonly [Out, Sides];
}

/**
 * Defines an operator on two keyed streams that share state and timers per key. Event time is the earlier of the two; in which order
 * records of different inputs come is not defined. All functions are synchronous.
 * @example
 * const paidOrders = defineCoOperator({
 *   key: type<{ orderId: string }>(), left: type<Order>(), right: type<Payment>(), output: type<PaidOrder>(),
 *   state: { order: valueState<Order>(), payment: valueState<Payment>() },
 *   onLeft(order, { state, emit }) {
 *     const payment = state.payment.get();
 *     if (payment === undefined) state.order.set(order);
 *     else emit({ order, payment });
 *   },
 *   onRight(payment, { state, emit }) {
 *     const order = state.order.get();
 *     if (order === undefined) state.payment.set(payment);
 *     else emit({ order, payment });
 *   },
 * });
 */
export function defineCoOperator<
  K,
  Left,
  Right,
  Out,
  const S extends StateSpec = Record<never, never>,
  const D extends SideSpec = Record<never, never>,
>(
  definition: {
    readonly key: TypeOf<K>;
    readonly left: TypeOf<Left>;
    readonly right: TypeOf<Right>;
    readonly output: TypeOf<Out>;
    readonly state?: S;
    readonly sides?: D;
    readonly onLeft: (record: Left, context: ProcessContext<K, Out, Handles<S>, SidesOf<D>>) => void;
    readonly onRight: (record: Right, context: ProcessContext<K, Out, Handles<S>, SidesOf<D>>) => void;
  } & TimerFunctions<ProcessContext<K, Out, Handles<S>, SidesOf<D>>>,
): KeyedCoOperator<K, Left, Right, Out, SidesOf<D>> {
  const { state, sides, onLeft, onRight } = definition;
  return {
    state: state ?? {},
    ...(sides === undefined ? {} : { sides }),
    onLeft: onLeft as (record: Left, context: never) => void,
    onRight: onRight as (record: Right, context: never) => void,
    ...timerFunctions(definition),
  };
}

/** The engine's side of a defined operator on two inputs: left, right. @param backend where its state lives; in memory by default */
export function coProcessOperator(
  operator: KeyedCoOperator<unknown, unknown, unknown, unknown, unknown>,
  backend?: OpenStateBackend,
): OperatorDefinition<MultiInputOperator> {
  const sides = Object.keys(operator.sides ?? {});
  return {
    kind: 'co-process',
    sides,
    create: (context) => new CoProcessOperator({ ...operator, sides }, context, backend),
    describeGroup: describeKeyed(operator.state),
  };
}
