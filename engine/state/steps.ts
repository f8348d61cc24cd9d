/** Work that may be left for a while wherever it yields, and has a result in the end. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Items of a loop between two yields: at worst, with each item missing the processor's cache a few times, about a millisecond. */
export const STEP_ITEMS = 1024;

/** Calls `work` for the ranges `[from, to)` that make up `[0, count)`, and yields after each. */
export function* inSteps(count: number, work: (from: number, to: number) => void): Steps<void> {
  for (let from = 0; from < count; from += STEP_ITEMS) {
    work(from, Math.min(from + STEP_ITEMS, count));
    yield;
  }
}

/** The same work, with `check` called, to throw, before it goes on after a yield. */
export function* checked<Result>(steps: Steps<Result>, check: () => void): Steps<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    yield;
    check();
  }
}

/** All of it at once. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
