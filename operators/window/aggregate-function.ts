/**
 * An aggregate of one's own: folds the records of a key and window into an accumulator. Functions are plain and synchronous;
 * accumulators must be plain data (they are part of snapshots) and may be changed in place by `add`, which returns the one to keep. `getResult` may be called
 * again for the same accumulator (allowed lateness): what it returns must not share memory with it.
 */
export interface AggregateFunction<in In, Acc, out Out> {
  readonly createAccumulator: () => Acc;
  readonly add: (record: In, accumulator: Acc) => Acc;
  readonly getResult: (accumulator: Acc) => Out;
  /**
   * Both as one, as if `b`'s records had come after `a`'s. May change and return `a`; `b` stays as it is, and what is returned
   * shares nothing with it that could change. A new accumulator merged with `b` is as good as `b`. Windows that grow together
   * (sessions) need it; sliding windows do with one update per record instead of one per window.
   */
  readonly merge?: (a: Acc, b: Acc) => Acc;
}
