import type { Guarantee } from '#engine';
import type { DefinedBroadcastOperator } from './define-broadcast-operator.ts';
import type { KeyedCoOperator } from './define-co-operator.ts';
import type { ProcessedStream } from './keyed-stream.ts';

/** Two streams with one key. */
export interface ConnectedStreams<K, Left, Right, G extends Guarantee = Guarantee> {
  /** Runs an operator with state and timers on both (defineCoOperator). `id` names its state and must not change. */
  readonly process: <Out, Sides>(
    id: string,
    operator: KeyedCoOperator<K, Left, Right, Out, Sides>,
  ) => ProcessedStream<Out, Sides, G>;
}

/** A stream whose every record goes to every subtask: rules, configuration, small reference data. */
export interface BroadcastStream<out B, out G extends Guarantee = Guarantee> {
  readonly broadcast?: readonly [B, G];
}

/** A stream and a broadcast stream. `K` is null where the stream has no key. */
export interface BroadcastConnectedStream<K, T, B, G extends Guarantee = Guarantee> {
  /** Runs an operator on both (defineBroadcastOperator). `id` names its state and must not change. */
  readonly process: <Out, Sides>(
    id: string,
    operator: DefinedBroadcastOperator<K, T, B, Out, Sides>,
  ) => ProcessedStream<Out, Sides, G>;
}
