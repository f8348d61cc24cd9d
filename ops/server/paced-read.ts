import type { Clock } from '../../engine/base/clock.ts';

export interface PacedReadOptions<T> {
  /** Rejections are swallowed: whoever writes the store reports its failures. */
  readonly read: () => Promise<T>;
  readonly everyMs: number;
  readonly clock: Clock;
}

/**
 * The latest value of something that is slow to read, for callers that cannot wait. A store that is slow or away makes
 * the value older, nothing else. Suspends in `#read` only.
 * PR1 at most one read is under way, and reads start at least `everyMs` apart.
 */
export class PacedRead<T> {
  readonly #options: PacedReadOptions<T>;
  #value: T | null = null;
  #reading = false;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PacedReadOptions<T>) {
    this.#options = options;
  }

  /** The last value read, null before the first; starts the next read when it is due. */
  latest(): T | null {
    const now = this.#options.clock.monotonic();
    if (!this.#reading && now - this.#startedAt >= this.#options.everyMs) {
      this.#startedAt = now;
      void this.#read();
    }
    return this.#value;
  }

  async #read(): Promise<void> {
    this.#reading = true;
    try {
      this.#value = await this.#options.read();
    } catch {
      // The value before stays: it carries its own time, or is a size that can only have grown.
    } finally {
      this.#reading = false;
    }
  }
}
