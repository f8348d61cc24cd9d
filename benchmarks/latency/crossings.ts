/** When the last of all lanes got past one window's due time. */
export interface Crossing {
  readonly windowStart: number;
  /** Lanes that did. */
  readonly lanes: number;
  /** Epoch ms, of the last one. */
  readonly atMs: number;
}

/**
 * For one place that all records pass: when every lane (records of one producer in one partition) has brought a record that lets a window close.
 * The watermark waits for the last lane, so that one is kept.
 */
export class Crossings {
  readonly #windowMs: number;
  readonly #boundMs: number;
  /** Per lane, start of the window that its next records may close. */
  readonly #next = new Map<string, number>();
  readonly #crossed = new Map<number, { lanes: number; atMs: number }>();

  /** @param boundMs out-of-orderness */
  constructor(windowMs: number, boundMs: number) {
    this.#windowMs = windowMs;
    this.#boundMs = boundMs;
  }

  /** Records of a lane up to event time `newestMs` have passed at `atMs`; true when they may have closed a window. */
  passed(lane: string, newestMs: number, atMs: number): boolean {
    const closed = Math.floor((newestMs - this.#boundMs) / this.#windowMs) * this.#windowMs - this.#windowMs;
    let next = this.#next.get(lane) ?? closed;
    const crosses = next <= closed;
    for (; next <= closed; next += this.#windowMs) {
      const crossing = this.#crossed.get(next);
      if (crossing === undefined) this.#crossed.set(next, { lanes: 1, atMs });
      else Object.assign(crossing, { lanes: crossing.lanes + 1, atMs: Math.max(crossing.atMs, atMs) });
    }
    this.#next.set(lane, next);
    return crosses;
  }

  all(): Crossing[] {
    return [...this.#crossed].map(([windowStart, crossing]) => ({ windowStart, ...crossing }));
  }
}
