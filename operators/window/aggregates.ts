import { MillraceError } from '#engine';

/**
 * A built-in aggregate of a window: `count()`, `sum('temperature')`, … Nulls are skipped; NaN is a value and shows in the result,
 * as with Math.min. `Result` is null where no value was seen. `In` is contravariant: the row must have the field.
 */
export interface Aggregate<in In, out Result> {
  readonly kind: 'count' | 'sum' | 'min' | 'max' | 'avg' | 'quantile';
  /** A field's name, or a function of the row; null for count. */
  readonly of: string | ((row: never) => number | null) | null;
  /** Of a quantile: 0.5, 0.95, 0.99. */
  readonly q: number | null;
  readonly phantom?: (row: In) => Result;
}

type FieldOf = string | ((row: never) => number | null);
/** Requires a row with a numeric field of that name. */
type Has<F extends string> = { readonly [K in F]: number | null };

export function count(): Aggregate<unknown, number> {
  return { kind: 'count', of: null, q: null };
}
export function sum<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function sum<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function sum(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('sum', of);
}
export function min<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function min<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function min(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('min', of);
}
export function max<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function max<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function max(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('max', of);
}
export function avg<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function avg<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function avg(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('avg', of);
}
/** Median; exact up to 64 values, then within 1 % of the value (quantile-sketch.ts). */
export function p50<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p50<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p50(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.5);
}
export function p95<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p95<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p95(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.95);
}
export function p99<const F extends string>(field: F): Aggregate<Has<F>, number | null>;
export function p99<T>(of: (row: T) => number | null): Aggregate<T, number | null>;
export function p99(of: FieldOf): Aggregate<never, number | null> {
  return aggregate('quantile', of, 0.99);
}

/** Named aggregates of one window: `{ n: count(), temp: avg('temperature') }`. */
export type AggregateSpec<T> = Readonly<Record<string, Aggregate<T, unknown>>>;
export type AggregateResult<S> = {
  readonly [K in keyof S]: S[K] extends Aggregate<never, infer R> ? R : never;
};

function aggregate<R>(
  kind: Aggregate<never, R>['kind'],
  of: FieldOf,
  q: number | null = null,
): Aggregate<never, R> {
  if (of === '') throw new MillraceError('MR_CONFIG_INVALID', `${kind}('') names no field.`);
  return { kind, of, q };
}
