import type { Guarantee, Key, KeyScalar, Sink } from '#engine';
import type { CallAttempt } from './async/call-policy.ts';
import type { LookupKey } from './async/lookup-cache.ts';
import type { AsyncMapOptions } from './async-map.ts';
import type { LookupJoinOptions } from './lookup-join.ts';
import type { BroadcastConnectedStream, BroadcastStream } from './connected-streams.ts';
import type { WindowsOf } from './window/general-window-spec.ts';
import type { AllWindowedStream } from './windowed-stream.ts';
import type { KeyedStream } from './keyed-stream.ts';

/** Fields of `T` that a stream may be keyed by. */
export type KeyField<T> = { [K in keyof T & string]: T[K] extends KeyScalar ? K : never }[keyof T & string];

/** A row with derived fields. */
export type Derived<T, D extends Readonly<Record<string, (record: never) => unknown>>> = Omit<T, keyof D> & {
  readonly [K in keyof D]: ReturnType<D[K]>;
};

/** What a type guard narrows `T` to; `T` where it is a plain predicate. */
type Narrowed<F, T> = F extends (record: T) => record is T & infer S ? (S extends T ? S : T & S) : T;

/** What meets no branch, and beside it the branches. A branch with a type guard is narrowed. */
export interface SplitStream<T, B, G extends Guarantee = Guarantee> extends DataStream<T, G> {
  readonly side: {
    readonly [K in keyof B]: DataStream<Narrowed<B[K], T>, G>;
  };
}

/** Says that this sink's weaker guarantee is known and wanted. */
export interface AcceptIdempotent {
  readonly accept: 'idempotent';
}

/** What `to` needs beside the sink: nothing, or the acceptance of a guarantee weaker than the job's. */
export type SinkTerms<JobG extends Guarantee, SinkG extends Guarantee> = JobG extends 'exactly-once'
  ? SinkG extends 'exactly-once'
    ? readonly []
    : readonly [terms: AcceptIdempotent]
  : readonly [];

/**
 * A stream of records of type `T`, in a job that asks for guarantee `G`. Steps return new streams; a stream may be used
 * several times. Record order is kept per source partition and key.
 */
export interface DataStream<T, G extends Guarantee = Guarantee> {
  /** Keeps records for which `predicate` is truthy; a type guard narrows the stream. */
  readonly filter: {
    <S extends T>(predicate: (record: T) => record is S): DataStream<S, G>;
    (predicate: (record: T) => boolean): DataStream<T, G>;
  };
  /** One record for each record; it keeps its event time. */
  readonly map: <R>(transform: (record: T) => R) => DataStream<R, G>;
  /** Any number of records for each record, all with its event time. */
  readonly flatMap: <R>(transform: (record: T) => Iterable<R>) => DataStream<R, G>;
  /**
   * Adds fields, each computed from the record as it came; one with the name of a field takes its place. Unlike after `map`, keys
   * and built-in aggregates of the other fields still read columns.
   */
  readonly derive: <const D extends Readonly<Record<string, (record: T) => unknown>>>(
    fields: D,
  ) => DataStream<Derived<T, D>, G>;
  /** This stream and others as one, in order of arrival; event time is that of the slowest. */
  readonly union: (...others: readonly [DataStream<T, G>, ...DataStream<T, G>[]]) => DataStream<T, G>;
  /**
   * Deals the records to all subtasks in turn, batch by batch. For costly steps behind a source with fewer partitions than the job has
   * subtasks, or with most of its records in few of them. The order between records is not kept, and what is keyed behind it is
   * exchanged again.
   */
  readonly rebalance: () => DataStream<T, G>;
  /**
   * Each record to the side output of the first branch whose predicate it meets, in the order written; what meets none stays in
   * the stream itself.
   */
  readonly split: <const B extends Readonly<Record<string, (record: T) => boolean>>>(
    branches: B,
  ) => SplitStream<T, B, G>;
  /** Splices in a part of a job that is written elsewhere: `stream.through(withoutNoise)`. */
  readonly through: <R>(fragment: (stream: DataStream<T, G>) => R) => R;
  /**
   * Partitions by the value of one or more fields, or of a function. A record without a usable key (null, undefined, NaN, an
   * object) goes to the job's dead letters as MR_KEY_INVALID.
   */
  readonly keyBy: {
    <const F extends KeyField<T>>(
      ...fields: readonly [F, ...F[]]
    ): KeyedStream<{ readonly [K in F]: T[K] }, T, G>;
    <K extends Key>(select: (record: T) => K): KeyedStream<K, T, G>;
  };
  /** Groups all records into windows. They are kept by one subtask, whatever the job's parallelism: key the stream where you can. */
  readonly windowAll: <W extends WindowsOf<T>>(windows: W) => AllWindowedStream<T, G, W>;
  /** Every record to every subtask: for `connect`. */
  readonly broadcast: () => BroadcastStream<T, G>;
  /** Joins up with a broadcast stream, for an operator on both (defineBroadcastOperator). */
  readonly connect: <B>(broadcast: BroadcastStream<B, G>) => BroadcastConnectedStream<null, T, B, G>;
  /**
   * One record for each record, through a function that may wait (a lookup, a call). Results keep their order unless `order` says
   * otherwise. At most `concurrency` calls are open; unfinished inputs are part of checkpoints and are called again after a restore, so
   * calls must be safe to repeat. A call that has failed for good is an operator error (job option `onError`).
   */
  readonly asyncMap: <R>(
    id: string,
    transform: (record: T, call: CallAttempt) => R | Promise<R>,
    options?: AsyncMapOptions<T, NoInfer<R>>,
  ) => DataStream<R, G>;
  /** Enriches each record with a value that is looked up elsewhere, through a cache. */
  readonly lookupJoin: <K extends LookupKey, V, Out>(
    id: string,
    options: LookupJoinOptions<T, K, V, Out>,
  ) => DataStream<Out, G>;
  /** Sends the stream to a sink. A sink that promises less than the job asks for must be accepted by name. */
  readonly to: <SG extends Guarantee>(id: string, sink: Sink<T, SG>, ...terms: SinkTerms<G, SG>) => void;
}
