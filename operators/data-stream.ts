import type { Guarantee, Key, KeyScalar, Sink } from '#engine';
import type { AsyncMapOptions } from './async-map.ts';
import type { KeyedStream } from './keyed-stream.ts';

/** Fields of `T` that a stream may be keyed by. */
export type KeyField<T> = { [K in keyof T & string]: T[K] extends KeyScalar ? K : never }[keyof T & string];

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
   * Partitions by the value of one or more fields, or of a function. A record without a usable key (null, undefined, NaN, an
   * object) goes to the job's dead letters as MR_KEY_INVALID.
   */
  readonly keyBy: {
    <const F extends KeyField<T>>(
      ...fields: readonly [F, ...F[]]
    ): KeyedStream<{ readonly [K in F]: T[K] }, T, G>;
    <K extends Key>(select: (record: T) => K): KeyedStream<K, T, G>;
  };
  /**
   * One record for each record, through a function that may wait (a lookup, a call). Results keep their order. At most
   * `concurrency` calls are open; unfinished inputs are part of checkpoints and are called again after a restore, so calls must
   * be safe to repeat. A rejected or thrown call is an operator error (job option `onError`).
   */
  readonly asyncMap: <R>(
    id: string,
    transform: (record: T) => R | Promise<R>,
    options?: AsyncMapOptions,
  ) => DataStream<R, G>;
  /** Sends the stream to a sink. A sink that promises less than the job asks for must be accepted by name. */
  readonly to: <SG extends Guarantee>(id: string, sink: Sink<T, SG>, ...terms: SinkTerms<G, SG>) => void;
}
