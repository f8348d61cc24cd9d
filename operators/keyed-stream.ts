import type { Guarantee } from '#engine';
import type { DataStream } from './data-stream.ts';
import type { KeyedOperator } from './define-operator.ts';
import type { DistinctOptions } from './distinct.ts';
import type { JoinType } from './join/interval-join.ts';
import type { TemporalJoinOptions } from './join/temporal-join.ts';
import type { CoGroup, IntervalJoin, JoinedStream, WindowJoin } from './joined-stream.ts';
import type { PatternMatchSpec, TimedOutMatch } from './pattern/pattern-operator.ts';
import type { RunningTop, TopNOptions, WindowTop } from './top-n.ts';
import type { BroadcastConnectedStream, BroadcastStream, ConnectedStreams } from './connected-streams.ts';
import type { WindowsOf } from './window/general-window-spec.ts';
import type { WindowedStream } from './windowed-stream.ts';

/** A stream partitioned by key `K`: all records of a key meet in one place, where state may be kept for it. */
export interface KeyedStream<K, T, G extends Guarantee = Guarantee> {
  /** Groups each key's records into windows: `tumbling`, `sliding`, `session`, `countWindow`, `global`. */
  readonly window: <W extends WindowsOf<T>>(windows: W) => WindowedStream<K, T, G, W>;
  /** Runs an operator with state and timers of its own (defineOperator). `id` names its state and must not change. */
  readonly process: <Out, Sides>(
    id: string,
    operator: KeyedOperator<K, T, Out, Sides>,
  ) => ProcessedStream<Out, Sides, G>;
  /** One value per key, given anew with each record: the first record as it is, then what `join` makes of the value and the record. */
  readonly reduce: (id: string, join: (value: T, record: T) => T) => DataStream<T, G>;
  /** Each key's first record; its repetitions are dropped for as long as `ttl` says. */
  readonly distinct: (id: string, options: DistinctOptions<T>) => DataStream<T, G>;
  /** The best records of each key: per window, or for ever and given with each change. */
  readonly topN: {
    (id: string, options: TopNOptions<T> & { readonly windows: object }): RankedStream<T, WindowTop<K, T>, G>;
    (id: string, options: TopNOptions<T>): DataStream<RunningTop<K, T>, G>;
  };
  /** Finds a pattern among each key's events: sequences, repetitions, what must not come (`pattern`). */
  readonly match: <C, Out, Expired = TimedOutMatch<K, C>>(
    id: string,
    spec: PatternMatchSpec<T, C, K, Out, Expired>,
  ) => MatchedStream<T, Out, Expired, G>;
  /** Pairs of records with one key whose times differ by a bounded amount. */
  readonly intervalJoin: <R, Out, const Type extends JoinType = 'inner'>(
    id: string,
    right: KeyedStream<K, R, G>,
    options: IntervalJoin<T, R, Out, Type>,
  ) => JoinedStream<T, R, Out, G>;
  /** Pairs of records with one key in one window, when it closes. */
  readonly windowJoin: <R, Out>(
    id: string,
    right: KeyedStream<K, R, G>,
    options: WindowJoin<T, R, Out>,
  ) => JoinedStream<T, R, Out, G>;
  /** Both streams' records of a key in one window, side by side: the general form of a window join, outer ones included. */
  readonly coGroup: <R, Out>(
    id: string,
    right: KeyedStream<K, R, G>,
    options: CoGroup<K, T, R, Out>,
  ) => JoinedStream<T, R, Out, G>;
  /** Each record with the version of its key that was valid at its time. */
  readonly temporalJoin: <V, Out, const Type extends 'inner' | 'left' = 'inner'>(
    id: string,
    versions: KeyedStream<K, V, G>,
    options: TemporalJoinOptions<T, V, Out, Type>,
  ) => JoinedStream<T, V, Out, G>;
  /** Joins up with a stream that has the same key, or with a broadcast stream, for an operator on both. */
  readonly connect: {
    <R>(other: KeyedStream<K, R, G>): ConnectedStreams<K, T, R, G>;
    <B>(broadcast: BroadcastStream<B, G>): BroadcastConnectedStream<K, T, B, G>;
  };
}

/** Rankings, and beside them the records of windows that were closed. */
export interface RankedStream<T, Top, G extends Guarantee = Guarantee> extends DataStream<Top, G> {
  readonly side: { readonly late: DataStream<T, G> };
}

/** Matches, and beside them records that came too late and partial matches whose time was over. */
export interface MatchedStream<T, Out, Expired, G extends Guarantee = Guarantee> extends DataStream<Out, G> {
  readonly side: { readonly late: DataStream<T, G>; readonly timedOut: DataStream<Expired, G> };
}

/** A stream with named side outputs. */
export interface ProcessedStream<Out, Sides, G extends Guarantee = Guarantee> extends DataStream<Out, G> {
  readonly side: { readonly [S in keyof Sides]: DataStream<Sides[S], G> };
}
