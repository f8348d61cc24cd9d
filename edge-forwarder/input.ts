/** Where records come from. An input reads at its own pace and stops while {@link InputPort.blocked} gives a promise. */
export interface Input<Row> {
  /** Name under which its position is kept. */
  readonly name: string;
  /** What makes a position meaningful, e.g. the seed and size of a simulation; a position under another origin is refused. */
  readonly origin: string;
  /** Runs until its end, or until `signal` aborts. */
  readonly run: (port: InputPort<Row>, signal: AbortSignal) => Promise<void>;
}

export interface InputPort<Row> {
  /** Stored position to go on from; 0 at the very start. */
  readonly position: number;
  /** Takes a valid row and moves the position by one. @throws MR_RECORD_INVALID; the position stays */
  readonly accept: (row: Row) => void;
  /** Notes something that is not a record, and moves the position by one. */
  readonly reject: (reason: string, text: string) => void;
  /** Moves the position by one without a record (an empty line). */
  readonly skip: () => void;
  /** While the outbox has no room: resolves when it may have again. Null: go on. */
  readonly blocked: () => Promise<void> | null;
}
