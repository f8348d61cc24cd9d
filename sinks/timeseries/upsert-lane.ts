/**
 * Rows on their way to one place of a store, as keyed upserts.
 *
 * Owns the rows that are not acknowledged yet. Does not own the connection, the batches' form, or retries.
 * Suspends while a batch is under way.
 *
 * UL1 One batch is under way at a time, so that no row is ever overtaken by an older value of its key.
 * UL2 Inside a batch each key occurs once, with its last value of that interval.
 * UL3 `flushed` waits for everything put before the call and for nothing put after it.
 * UL4 At most `pendingMax` rows wait beyond what one `put` burst brings; `hasRoom` tells when to go on.
 * UL5 The first failure is final: it rejects every wait, now and later.
 * UL6 A batch lies between two barriers: `write` gets the rows of one interval with its `seq`, the intervals in order.
 */
export class UpsertLane<Row, Batch> {
  readonly #options: UpsertLaneOptions<Batch>;
  readonly #waiting: WaitingRows<Row, Batch>;
  #writing = false;
  #closed = false;
  #underWay = 0;
  #acknowledged = 0;
  #failure: { readonly error: unknown } | null = null;
  #waits: {
    readonly done: () => boolean;
    readonly resolve: () => void;
    readonly reject: (e: unknown) => void;
  }[] = [];

  constructor(waiting: WaitingRows<Row, Batch>, options: UpsertLaneOptions<Batch>) {
    this.#waiting = waiting;
    this.#options = options;
  }

  /** Takes a row of barrier interval `seq`, which never falls; nothing is sent before {@link start}. */
  put(seq: number, row: Row): void {
    this.#waiting.put(seq, row);
  }

  /** Sends what waits. Call it after a burst of `put`. */
  start(): void {
    if (!this.#writing && this.#failure === null && !this.#closed && this.#waiting.size > 0)
      void this.#drain();
  }

  get full(): boolean {
    return this.#waiting.size >= this.#options.pendingMax;
  }

  /** Resolves when rows may be put again. */
  hasRoom(): Promise<void> {
    return this.#until(() => !this.full);
  }

  /** Resolves when everything put so far is acknowledged. */
  flushed(): Promise<void> {
    const target = this.#acknowledged + this.#underWay + this.#waiting.size;
    this.start();
    return this.#until(() => this.#acknowledged >= target);
  }

  /** Throws the failure, once there is one. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Sends no further batch. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#waiting.size > 0 && !this.#closed) {
        const { seq, batch, rows } = this.#waiting.take(this.#options.batchMax);
        this.#underWay = rows;
        await this.#options.write(batch, seq);
        this.#underWay = 0;
        this.#acknowledged += rows;
        this.#settle();
      }
    } catch (error) {
      this.#failure = { error };
      this.#settle();
    } finally {
      this.#writing = false;
    }
  }

  #until(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waits.push({ done, resolve, reject });
      this.#settle();
    });
  }

  #settle(): void {
    const waits = this.#waits;
    this.#waits = [];
    for (const wait of waits) {
      if (this.#failure !== null) wait.reject(this.#failure.error);
      else if (wait.done()) wait.resolve();
      else this.#waits.push(wait);
    }
  }
}

export interface UpsertLaneOptions<Batch> {
  /** Rows of one batch at most. */
  readonly batchMax: number;
  /** Rows waiting before the sender must stop. */
  readonly pendingMax: number;
  /** Writes one batch of interval `seq` for good, or throws for good. */
  readonly write: (batch: Batch, seq: number) => Promise<void>;
}

/** Rows that wait, each key once per interval with its last value. */
export interface WaitingRows<Row, Batch> {
  readonly size: number;
  readonly put: (seq: number, row: Row) => void;
  /** The next rows, `max` at most, all of the oldest interval. Only when there are any. */
  readonly take: (max: number) => { readonly seq: number; readonly batch: Batch; readonly rows: number };
  readonly clear: () => void;
}
