import type { Clock } from '../base/clock.ts';

/** Work of one turn of the event loop. Records come between two turns, so this is most of what they wait for. */
const SLICE_MS = 2;

/**
 * Cuts long work of several asynchronous functions into slices. Every few hundred microseconds each of them does
 * `while (slices.isOver) await slices.next()`: it looks again after the wait, since another may have used the slice up.
 *
 * SL1 all of them together work for {@link SLICE_MS} per turn, and for as long as it takes from there to the next look.
 */
export class Slices {
  readonly #clock: Clock;
  #startedAt = Number.NEGATIVE_INFINITY;
  #next: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#clock.monotonic() - this.#startedAt >= SLICE_MS;
  }

  /** Resolves when a slice begins. */
  next(): Promise<void> {
    this.#next ??= this.#clock.yieldTurn().then(() => {
      this.#next = null;
      this.#startedAt = this.#clock.monotonic();
    });
    return this.#next;
  }
}
