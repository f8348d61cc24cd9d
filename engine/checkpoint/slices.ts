import type { Clock } from '../base/clock.ts';

/** Work of one turn of the event loop. Records come between two turns, so this is most of what they wait for. */
const SLICE_MS = 2;

/**
 * Cuts long work of several asynchronous functions into slices. Each calls {@link pause} every few hundred microseconds.
 *
 * SL1 all of them together work for {@link SLICE_MS} per turn, and for as long as it takes from there to the next call.
 */
export class Slices {
  readonly #clock: Clock;
  #startedAt = Number.NEGATIVE_INFINITY;
  #nextTurn: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the slice is over: {@link pause} would suspend. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#startedAt >= SLICE_MS;
  }

  /** Suspends until a slice has time left. */
  async pause(): Promise<void> {
    while (this.isOver) {
      this.#nextTurn ??= this.#clock.yieldTurn().then(() => {
        this.#nextTurn = null;
        this.#startedAt = this.#clock.monotonic();
      });
      await this.#nextTurn;
    }
  }
}
