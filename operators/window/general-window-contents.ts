import type { AggregateFunction } from './aggregate-function.ts';
import type { MergeableFold } from './mergeable-fold.ts';
import { plainCopy } from './plain-copy.ts';

/** How a window keeps its records until it fires. Contents are never undefined: that stands for an empty window. */
export interface WindowContents {
  readonly kind: 'accumulator' | 'elements';
  /** The contents with one record more. May change and return them; when it throws they should be as before. */
  readonly add: (contents: unknown, row: unknown, time: number) => unknown;
  /** Both as one; may change and return `a`. Null when they cannot be merged. */
  readonly merge: ((a: unknown, b: unknown) => unknown) | null;
  readonly copy: (contents: unknown) => unknown;
  /** The contents as plain data, copied. */
  readonly store: (contents: unknown) => unknown;
  readonly load: (stored: unknown) => unknown;
}

/** A fold whose accumulators perhaps cannot be merged. */
export interface WindowFold extends Omit<MergeableFold<unknown, unknown, unknown>, 'merge'> {
  readonly merge: ((a: unknown, b: unknown) => unknown) | null;
}

/** A user's aggregate function as a fold. */
export function foldOfFunction({
  createAccumulator,
  add,
  getResult,
  merge,
}: AggregateFunction<unknown, unknown, unknown>): WindowFold {
  return {
    createAccumulator,
    add: (row, _time, accumulator) => add(row, accumulator),
    merge: merge ?? null,
    getResult,
    state: plainCopy,
    from: (state) => state,
  };
}

/** Records go into an accumulator at once. */
export function accumulated(fold: WindowFold): WindowContents {
  const { createAccumulator, add, merge, state, from } = fold;
  return {
    kind: 'accumulator',
    add: (contents, row, time) => add(row, time, contents === undefined ? createAccumulator() : contents),
    merge,
    copy: (contents) => from(state(contents)),
    store: state,
    load: from,
  };
}

/** Records in order of arrival, with their times. */
export interface Elements {
  readonly rows: unknown[];
  readonly times: number[];
}

/** All records are kept. With `keepLast` only so many need to be, and little more than twice as many are. */
export function elements(keepLast: number | null): WindowContents {
  const limit = keepLast === null ? Number.POSITIVE_INFINITY : 2 * keepLast;
  const of = (contents: unknown) => contents as Elements;
  const copy = (contents: unknown): Elements => ({
    rows: of(contents).rows.slice(),
    times: of(contents).times.slice(),
  });
  return {
    kind: 'elements',
    add(contents, row, time) {
      if (contents === undefined) return { rows: [row], times: [time] } satisfies Elements;
      const { rows, times } = of(contents);
      if (rows.length >= limit) {
        rows.splice(0, rows.length - (keepLast as number));
        times.splice(0, times.length - (keepLast as number));
      }
      rows.push(row);
      times.push(time);
      return contents;
    },
    merge(a, b) {
      for (const row of of(b).rows) of(a).rows.push(row);
      for (const time of of(b).times) of(a).times.push(time);
      return a;
    },
    copy,
    store: copy,
    load: copy,
  };
}

/** The last `keepLast` of the elements, or all. */
export function lastElements({ rows, times }: Elements, keepLast: number | null): Elements {
  if (keepLast === null || rows.length <= keepLast) return { rows, times };
  return { rows: rows.slice(-keepLast), times: times.slice(-keepLast) };
}
