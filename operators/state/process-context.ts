/** Timers of the current key, deduplicated per time, and checkpointed. Times are whole epoch ms. */
export interface Timers {
  /** Calls `onTimer` when the watermark reaches `time` (epoch ms); at the next watermark when that has passed (in `onTimer`: the time that fired or earlier). */
  readonly at: (time: number) => void;
  readonly delete: (time: number) => void;
  /**
   * Calls `onProcessingTimer` when the wall clock reaches `time` (epoch ms), also when that was while the job was down. One that
   * `onProcessingTimer` sets fires in a later turn.
   */
  readonly atProcessingTime: (time: number) => void;
  readonly deleteProcessingTime: (time: number) => void;
}

/** What all functions of an operator can do. */
export interface OutputContext<Out, Sides> {
  /**
   * Event time of the record, or of the timer that fired, epoch ms. Of a processing-time timer the wall-clock time it was set for, but
   * always after the watermark: what is emitted then is not late.
   */
  readonly timestamp: number;
  /** Current watermark. */
  readonly watermark: number;
  /** Wall clock, epoch ms; read once per batch of records and per timer. */
  readonly processingTime: number;
  /** Emits with {@link timestamp}. */
  readonly emit: (record: Out) => void;
  /** Emits to a named side output. */
  readonly side: { readonly [N in keyof Sides]: (record: Sides[N]) => void };
}

/** What an operator's functions work with. Valid during the call only. */
export interface ProcessContext<K, Out, State, Sides> extends OutputContext<Out, Sides> {
  readonly key: K;
  readonly state: State;
  readonly timers: Timers;
}
