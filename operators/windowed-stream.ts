import type { Duration, Guarantee } from '#engine';
import type { DataStream } from './data-stream.ts';
import type { AggregateFunction } from './window/aggregate-function.ts';
import type { AggregateResult, AggregateSpec } from './window/aggregates.ts';
import type { TimeWindow } from './window/assigner.ts';
import type { WindowAssigner } from './window/general-window-spec.ts';
import type { Trigger } from './window/trigger.ts';
import type { WindowFunction } from './window/window-process.ts';

/** A key's value for one window. Its event time is `window.end − 1`. */
export interface WindowResult<K, V> {
  readonly key: K;
  readonly window: TimeWindow;
  readonly value: V;
}

/** The value of all records of one window. */
export type AllWindowResult<V> = Omit<WindowResult<never, V>, 'key'>;

/** An aggregate of one's own; over session windows, which grow together, it must be able to merge. */
type FoldOver<W, T, Acc, Out> = W extends { readonly kind: 'session' }
  ? AggregateFunction<T, Acc, Out> & Required<Pick<AggregateFunction<T, Acc, Out>, 'merge'>>
  : AggregateFunction<T, Acc, Out>;

/** A stream cut into windows; aggregate or process it. `Result` is what an aggregate of value `V` gives. */
interface Windows<K, T, G extends Guarantee, W, IsKeyed extends boolean> {
  /**
   * Keeps windows this long after their result: a record that comes in this time changes the window and gives its result again.
   * Default 0. Later records go to `side.late`.
   */
  readonly allowedLateness: (lateness: Duration) => Windows<K, T, G, W, IsKeyed>;
  /** When windows give results, and what they then forget. Default: once event time has passed their end. */
  readonly trigger: (trigger: Trigger<T>) => Windows<K, T, G, W, IsKeyed>;
  /**
   * One result per window: named built-in aggregates, or an AggregateFunction. `id` names its state and must not change. A window function
   * after the aggregates gets their value, once per result.
   */
  readonly aggregate: {
    <const S extends AggregateSpec<T>>(
      id: string,
      aggregates: S,
    ): AggregatedStream<K, T, AggregateResult<S, T>, G, IsKeyed>;
    <const S extends AggregateSpec<T>, Out, Sides>(
      id: string,
      aggregates: S,
      then: WindowFunction<K, AggregateResult<S, T>, Out, Sides>,
    ): WindowProcessedStream<T, Out, Sides, G>;
    <Acc, Out>(id: string, aggregate: FoldOver<W, T, Acc, Out>): AggregatedStream<K, T, Out, G, IsKeyed>;
  };
  /** Runs a function over all records of a window (defineWindowFunction), which are kept until then. */
  readonly process: <Out, Sides>(
    id: string,
    windowFunction: WindowFunction<K, T, Out, Sides>,
  ) => WindowProcessedStream<T, Out, Sides, G>;
}

/** A keyed stream cut into windows: each key has its own. */
export interface WindowedStream<
  K,
  T,
  G extends Guarantee = Guarantee,
  W extends WindowAssigner = WindowAssigner,
> extends Windows<K, T, G, W, true> {}

/** A whole stream cut into windows: one subtask has them all. */
export interface AllWindowedStream<
  T,
  G extends Guarantee = Guarantee,
  W extends WindowAssigner = WindowAssigner,
> extends Windows<unknown, T, G, W, false> {}

/** Window results, and beside them every record that came too late to count. */
export interface AggregatedStream<K, T, V, G extends Guarantee = Guarantee, IsKeyed extends boolean = true>
  extends DataStream<IsKeyed extends true ? WindowResult<K, V> : AllWindowResult<V>, G> {
  readonly side: { readonly late: DataStream<T, G> };
}

/** What a window function emitted, its side outputs, and every record that came too late for its window. */
export interface WindowProcessedStream<T, Out, Sides, G extends Guarantee = Guarantee>
  extends DataStream<Out, G> {
  readonly side: { readonly [S in keyof Sides]: DataStream<Sides[S], G> } & {
    readonly late: DataStream<T, G>;
  };
}
