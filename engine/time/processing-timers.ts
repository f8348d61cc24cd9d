import type { Clock } from '../base/clock.ts';
import { TimerQueue } from './timer-queue.ts';

/** A clock timer may not be set further ahead (setTimeout takes 31 bits); waking early does no harm. */
const ALARM_MS_MAX = 3_600_000;

/**
 * Timers on the wall clock, by slot. They fire in a turn of the task ({@link takeDue}, from `Operator.poll`); one clock timer
 * for the earliest wakes it.
 *
 * PT1 a timer fires at its time or later, also after a restore when its time has passed meanwhile.
 */
export class ProcessingTimers {
  readonly #queue = new TimerQueue();
  readonly #clock: Clock;
  readonly #wake: () => void;
  #armedFor = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** Time of the earliest, epoch ms, or null. */
  get next(): number | null {
    return this.#queue.next;
  }

  /** True when the timer is new. @param time epoch ms */
  add(slot: number, time: number): boolean {
    const isNew = this.#queue.add(slot, time);
    if (isNew && time < this.#armedFor) this.#arm();
    return isNew;
  }

  /** True when the timer existed. */
  delete(slot: number, time: number): boolean {
    return this.#queue.delete(slot, time);
  }

  /** Takes the earliest timer that is due now, or null. @param before called with its slot while it is still there */
  takeDue(before?: (slot: number) => void): { readonly slot: number; readonly time: number } | null {
    if (this.#queue.size === 0) return null;
    const due = this.#queue.takeDue(this.#clock.now(), before);
    if (due === null) this.#arm();
    return due;
  }

  forEachOf(slot: number, visit: (time: number) => void): void {
    this.#queue.forEachOf(slot, visit);
  }

  close(): void {
    this.#cancel();
  }

  #arm(): void {
    const next = this.#queue.next ?? Number.POSITIVE_INFINITY;
    if (next === this.#armedFor) return;
    this.#cancel();
    this.#armedFor = next;
    this.#cancel = () => {};
    if (next === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, next - this.#clock.now()), ALARM_MS_MAX);
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#wake();
    });
  }
}
