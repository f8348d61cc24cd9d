import { MillraceError } from '#engine';

/** A value that a row's field may have and that is one thing: what keys, distinct counts and first and last values are made of. */
export type Scalar = string | number | boolean;

/**
 * A built-in aggregate of a window: `count()`, `sum('temperature')`, … Nulls are skipped; NaN is a value and shows in the result,
 * as with Math.min. `Result` is null where no value was seen. `In` is contravariant: the row must have the field.
 */
export interface Aggregate<in In, out Result> {
  readonly kind:
    | 'count'
    | 'countIf'
    | 'sum'
    | 'min'
    | 'max'
    | 'avg'
    | 'variance'
    | 'stddev'
    | 'first'
    | 'last'
    | 'distinct'
    | 'quantile';
  /** A field's name, or a function of the row; null for count. */
  readonly of: string | ((row: never) => unknown) | null;
  /** Of a quantile: 0.5, 0.95, 0.99. */
  readonly q: number | null;
  readonly phantom?: (row: In) => Result;
}

type Of = NonNullable<Aggregate<never, unknown>['of']>;
/** Requires a row with a field of that name and type. */
type Has<F extends string, V = number> = { readonly [K in F]: V | null };
/** Stands for the type of the row's field `F` until the row is known (AggregateResult). */
export interface ValueOf<out F extends string> {
  readonly valueOf: () => Scalar;
  readonly field: F;
}

export function count(): Aggregate<unknown, number> {
  return { kind: 'count', of: null, q: null };
}
/** Records of which a boolean field, or a function, is true. */
export function countIf<const F extends string>(field: F): Aggregate<Has<F, boolean>, number>;
export function countIf<T>(of: (row: T) => boolean | null): Aggregate<T, number>;
export function countIf(of: Of): Aggregate<never, number> {
  return aggregate('countIf', of);
}
export function sum<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function sum<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function sum(of: Of): Aggregate<never, number | null> {
  return aggregate('sum', of);
}
export function min<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function min<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function min(of: Of): Aggregate<never, number | null> {
  return aggregate('min', of);
}
export function max<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function max<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function max(of: Of): Aggregate<never, number | null> {
  return aggregate('max', of);
}
export function avg<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function avg<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function avg(of: Of): Aggregate<never, number | null> {
  return aggregate('avg', of);
}
/** Population variance (divided by n), kept as a running mean and sum of squared deviations. */
export function variance<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function variance<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function variance(of: Of): Aggregate<never, number | null> {
  return aggregate('variance', of);
}
/** Population standard deviation: the root of {@link variance}. */
export function stddev<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function stddev<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function stddev(of: Of): Aggregate<never, number | null> {
  return aggregate('stddev', of);
}
/** Value of the record with the lowest event time; of equal times, the one that came first. */
export function first<const F extends string>(field: F): Aggregate<Has<F, Scalar>, ValueOf<F> | null>;
export function first<T, V extends Scalar>(of: (row: T) => V | null): Aggregate<T, V | null>;
export function first(of: Of): Aggregate<never, unknown> {
  return aggregate('first', of);
}
/** Value of the record with the highest event time; of equal times, the one that came last. */
export function last<const F extends string>(field: F): Aggregate<Has<F, Scalar>, ValueOf<F> | null>;
export function last<T, V extends Scalar>(of: (row: T) => V | null): Aggregate<T, V | null>;
export function last(of: Of): Aggregate<never, unknown> {
  return aggregate('last', of);
}
/** How many different values; exact up to 192, then with a standard error of 1.6 % (hyperloglog.ts). 0 and −0 are one, as are NaNs. */
export function distinct<const F extends string>(field: F): Aggregate<Has<F, Scalar>, number>;
export function distinct<T>(of: (row: T) => Scalar | null): Aggregate<T, number>;
export function distinct(of: Of): Aggregate<never, number> {
  return aggregate('distinct', of);
}
/** Median; exact up to 64 values, then within 1 % of the value (quantile-sketch.ts). */
export function p50<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p50<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p50(of: Of): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.5);
}
export function p95<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p95<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p95(of: Of): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.95);
}
export function p99<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p99<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p99(of: Of): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.99);
}

/** Named aggregates of one window: `{ n: count(), temp: avg('temperature') }`. */
export type AggregateSpec<T> = Readonly<Record<string, Aggregate<T, unknown>>>;
/** Results by name; `T` is the row, whose fields `first` and `last` give. */
export type AggregateResult<S, T = Readonly<Record<string, Scalar | null>>> = {
  readonly [K in keyof S]: S[K] extends Aggregate<never, infer R> ? Resolved<R, T> : never;
};
type Resolved<R, T> = R extends ValueOf<infer F> ? (F extends keyof T ? T[F] : Scalar) : R;

function aggregate<R>(
  kind: Aggregate<never, R>['kind'],
  of: Of,
  q: number | null = null,
): Aggregate<never, R> {
  if (of === '') throw new MillraceError('MR_CONFIG_INVALID', `${kind}('') names no field.`);
  return { kind, of, q };
}
