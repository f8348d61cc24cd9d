import type { Duration, Guarantee } from '#engine';
import type { DataStream } from './data-stream.ts';
import type { AggregateFunction } from './window/aggregate-function.ts';
import type { AggregateResult, AggregateSpec } from './window/aggregates.ts';
import type { TimeWindow } from './window/assigner.ts';

/** A key's value for one window. Its event time is `window.end − 1`. */
export interface WindowResult<K, V> {
  readonly key: K;
  readonly window: TimeWindow;
  readonly value: V;
}

/** A keyed stream cut into windows; aggregate it. */
export interface WindowedStream<K, T, G extends Guarantee = Guarantee> {
  /**
   * Keeps windows this long after their result: a record that comes in this time changes the window and gives its key's result
   * again. Default 0. Later records go to `side.late`.
   */
  readonly allowedLateness: (lateness: Duration) => WindowedStream<K, T, G>;
  /** One result per key and window: named built-in aggregates, or an AggregateFunction. `id` names its state and must not change. */
  readonly aggregate: {
    <const S extends AggregateSpec<T>>(
      id: string,
      aggregates: S,
    ): AggregatedStream<K, T, AggregateResult<S>, G>;
    <Acc, Out>(id: string, aggregate: AggregateFunction<T, Acc, Out>): AggregatedStream<K, T, Out, G>;
  };
}

/** Window results, and beside them every record that came too late to count. */
export interface AggregatedStream<K, T, V, G extends Guarantee = Guarantee>
  extends DataStream<WindowResult<K, V>, G> {
  readonly side: { readonly late: DataStream<T, G> };
}
