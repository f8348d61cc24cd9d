import {
  MillraceError,
  type MultiInputOperator,
  type OpenStateBackend,
  type OperatorDefinition,
} from '#engine';
import type {
  BroadcastContext,
  BroadcastPlainContext,
  BroadcastRecordContext,
  KeyedBroadcastContext,
} from './broadcast-context.ts';
import { BroadcastOperator } from './broadcast-operator.ts';
import {
  type SideSpec,
  type SidesOf,
  type TimerFunctions,
  timerFunctions,
  type TypeOf,
} from './define-operator.ts';
import { describeKeyed } from './inspect/describe-states.ts';
import type { StateSpec } from './state/state-kinds.ts';

/**
 * An operator on a stream and a broadcast stream: a value, made by {@link defineBroadcastOperator}. `K` is unknown when the first
 * input needs no key.
 */
export interface DefinedBroadcastOperator<in K, in In, in Broadcast, out Out, out Sides> {
  readonly isKeyed: boolean;
  readonly state: StateSpec;
  readonly broadcastState: StateSpec;
  readonly sides?: SideSpec;
  readonly onRecord: (record: In, context: never) => void;
  readonly onBroadcast: (record: Broadcast, context: never) => void;
  readonly onTimer?: (firedAt: number, context: never) => void;
  readonly onProcessingTimer?: (firedAt: number, context: never) => void;
  readonly phantom?: (key: K) => readonly [Out, Sides];
}

interface Streams<In, Broadcast, Out, B, D> {
  readonly input: TypeOf<In>;
  readonly broadcast: TypeOf<Broadcast>;
  readonly output: TypeOf<Out>;
  /** State that every subtask has whole, changed by broadcast records only. It takes no ttl: subtasks would forget at different times. */
  readonly broadcastState: B;
  readonly sides?: D;
}

/**
 * Defines an operator on a stream and a broadcast stream: rules, configuration, small reference data. Every subtask gets every
 * broadcast record and keeps the broadcast state; records of the first input look at it. No timers are set by broadcast records. All
 * functions are synchronous.
 * @throws MR_CONFIG_INVALID when broadcast state has a ttl
 * @example
 * const alerts = defineBroadcastOperator({
 *   key: type<{ deviceId: string }>(), input: type<Reading>(), broadcast: type<Rule>(), output: type<Alert>(),
 *   broadcastState: { rules: mapState<string, Rule>() },
 *   onRecord(reading, { broadcast, emit }) {
 *     for (const rule of broadcast.rules.values()) if (reading.value > rule.limit) emit({ rule: rule.id, reading });
 *   },
 *   onBroadcast(rule, { broadcast }) {
 *     broadcast.rules.set(rule.id, rule);
 *   },
 * });
 */
export function defineBroadcastOperator<
  K,
  In,
  Broadcast,
  Out,
  const B extends StateSpec,
  const S extends StateSpec = Record<never, never>,
  const D extends SideSpec = Record<never, never>,
>(
  definition: Streams<In, Broadcast, Out, B, D> & {
    readonly key: TypeOf<K>;
    readonly state?: S;
    readonly onRecord: (record: In, context: BroadcastRecordContext<K, Out, S, B, SidesOf<D>>) => void;
    readonly onBroadcast: (
      record: Broadcast,
      context: KeyedBroadcastContext<K, Out, S, B, SidesOf<D>>,
    ) => void;
  } & TimerFunctions<BroadcastRecordContext<K, Out, S, B, SidesOf<D>>>,
): DefinedBroadcastOperator<K, In, Broadcast, Out, SidesOf<D>>;
/** The same where the first input has no key: without state and timers. */
export function defineBroadcastOperator<
  In,
  Broadcast,
  Out,
  const B extends StateSpec,
  const D extends SideSpec = Record<never, never>,
>(
  definition: Streams<In, Broadcast, Out, B, D> & {
    readonly key?: never;
    readonly onRecord: (record: In, context: BroadcastPlainContext<Out, B, SidesOf<D>>) => void;
    readonly onBroadcast: (record: Broadcast, context: BroadcastContext<Out, B, SidesOf<D>>) => void;
  },
): DefinedBroadcastOperator<unknown, In, Broadcast, Out, SidesOf<D>>;
export function defineBroadcastOperator(
  definition: Streams<unknown, unknown, unknown, StateSpec, SideSpec> & {
    readonly key?: TypeOf<unknown>;
    readonly state?: StateSpec;
    readonly onRecord: (record: unknown, context: never) => void;
    readonly onBroadcast: (record: unknown, context: never) => void;
  } & TimerFunctions<never>,
): DefinedBroadcastOperator<never, never, never, unknown, unknown> {
  const { key, state, broadcastState, sides, onRecord, onBroadcast } = definition;
  const mortal = Object.keys(broadcastState).find((name) => broadcastState[name]?.options.ttl !== undefined);
  if (mortal !== undefined) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Broadcast state '${mortal}' has a ttl; subtasks would forget at different times. Clear it by a broadcast record.`,
    );
  }
  return {
    isKeyed: key !== undefined,
    state: state ?? {},
    broadcastState,
    ...(sides === undefined ? {} : { sides }),
    onRecord,
    onBroadcast,
    ...timerFunctions(definition),
  };
}

/**
 * The engine's side of a defined broadcast operator. Inputs: the stream (hash when keyed), the broadcast stream.
 * @param backend where its keyed state lives; in memory by default. Broadcast state is always in memory
 */
export function broadcastOperator(
  operator: DefinedBroadcastOperator<never, unknown, unknown, unknown, unknown>,
  backend?: OpenStateBackend,
): OperatorDefinition<MultiInputOperator> {
  const sides = Object.keys(operator.sides ?? {});
  return {
    kind: 'broadcast-process',
    sides,
    create: (context) => new BroadcastOperator({ ...operator, sides }, context, backend),
    describeGroup: describeKeyed(operator.state),
  };
}
