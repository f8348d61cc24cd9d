import type { Sink } from '#engine';

/** A sink of a row type and a guarantee, for type tests: never run. */
export declare function sinkOf<Row, G extends 'exactly-once' | 'idempotent'>(guarantee: G): Sink<Row, G>;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only when the value's type is exactly `Expected`. */
export declare function hasType<Expected>(): <Actual>(
  value: Actual,
  ...same: Same<Actual, Expected> extends true ? [] : [{ readonly is: Actual; readonly not: Expected }]
) => void;
