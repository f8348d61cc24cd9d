import { TimerQueue } from '#engine';

const NONE = Number.POSITIVE_INFINITY;

/**
 * At most one event-time deadline per entry (a small number, e.g. a slot). It is moved lazily: the owner arms it for the
 * earliest thing it waits for, and arms it again, for what is left, when it has come.
 *
 * DL1 an entry is in the queue at most once, for the earliest time it was armed for since it was taken.
 */
export class Deadlines {
  readonly #queue = new TimerQueue();
  readonly #armed: number[] = [];

  get size(): number {
    return this.#queue.size;
  }

  arm(entry: number, time: number): void {
    while (this.#armed.length <= entry) this.#armed.push(NONE);
    const armed = this.#armed[entry] as number;
    if (armed <= time) return;
    if (armed !== NONE) this.#queue.delete(entry, armed);
    this.#armed[entry] = time;
    this.#queue.add(entry, time);
  }

  /** Takes every entry that is due, in time order; `visit` may arm the entry that it is called for, and no other. */
  drain(watermark: number, visit: (entry: number) => void): void {
    const take = (entry: number) => {
      this.#armed[entry] = NONE;
      visit(entry);
    };
    while (this.#queue.takeDueTogether(watermark, take));
  }

  /** Takes the entry with the earliest deadline that is due, or −1. */
  take(watermark: number): number {
    const due = this.#queue.takeDue(watermark);
    if (due === null) return -1;
    this.#armed[due.slot] = NONE;
    return due.slot;
  }
}
