import type { Guarantee } from '#engine';
import type { DataStream } from './data-stream.ts';
import type { KeyedOperator } from './define-operator.ts';
import type { BroadcastConnectedStream, BroadcastStream, ConnectedStreams } from './connected-streams.ts';
import type { TumblingWindows } from './window/assigner.ts';
import type { WindowedStream } from './windowed-stream.ts';

/** A stream partitioned by key `K`: all records of a key meet in one place, where state may be kept for it. */
export interface KeyedStream<K, T, G extends Guarantee = Guarantee> {
  /** Groups each key's records into windows of event time. */
  readonly window: (windows: TumblingWindows) => WindowedStream<K, T, G>;
  /** Runs an operator with state and timers of its own (defineOperator). `id` names its state and must not change. */
  readonly process: <Out, Sides>(
    id: string,
    operator: KeyedOperator<K, T, Out, Sides>,
  ) => ProcessedStream<Out, Sides, G>;
  /** Joins up with a stream that has the same key, or with a broadcast stream, for an operator on both. */
  readonly connect: {
    <R>(other: KeyedStream<K, R, G>): ConnectedStreams<K, T, R, G>;
    <B>(broadcast: BroadcastStream<B, G>): BroadcastConnectedStream<K, T, B, G>;
  };
}

/** A stream with named side outputs. */
export interface ProcessedStream<Out, Sides, G extends Guarantee = Guarantee> extends DataStream<Out, G> {
  readonly side: { readonly [S in keyof Sides]: DataStream<Sides[S], G> };
}
