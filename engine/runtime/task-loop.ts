import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { Task } from './task.ts';

/**
 * Runs all tasks of one thread in turn. Suspension points: Clock.yieldTurn after each round in which something happened (so that
 * timers, I/O and HTTP run), and a promise that {@link wake} resolves when nothing can go on.
 *
 * TL1 what a turn gives to a task without input counts as waiting for that task from the end of the turn on.
 */
export class TaskLoop {
  readonly #tasks: readonly Task[];
  readonly #clock: Clock;
  /** Were given something in the turn under way. */
  readonly #given = new Set<Task>();
  #wakeUp: (() => void) | null = null;
  #awake = false;
  #stopped = false;
  #ended = false;
  #settled = Promise.withResolvers<void>();

  constructor(tasks: readonly Task[], clock: Clock) {
    this.#tasks = tasks;
    this.#clock = clock;
  }

  /** Something may go on: an arrival, a finished promise, room in a channel, a command. */
  wake(): void {
    this.#awake = true;
    this.#wakeUp?.();
  }

  /** A task has been given something by another one's turn. */
  arrived(task: Task): void {
    this.#given.add(task);
    this.wake();
  }

  /** Resolves when no task can go on by itself: everything given has gone as far as it goes. */
  settled(): Promise<void> {
    if (this.#ended || (this.#wakeUp !== null && !this.#awake)) return Promise.resolve();
    return this.#settled.promise;
  }

  stop(): void {
    this.#stopped = true;
    this.wake();
  }

  /** Resolves when every task has ended or {@link stop} was called; rejects with the first task failure. */
  async run(): Promise<'ended' | 'stopped'> {
    try {
      return await this.#run();
    } finally {
      this.#ended = true;
      this.#settled.resolve();
      const now = this.#clock.monotonic();
      for (const { time } of this.#tasks) time.end(now);
    }
  }

  async #run(): Promise<'ended' | 'stopped'> {
    while (!this.#stopped) {
      this.#awake = false;
      const progress = this.#round();
      if (this.#tasks.every((task) => task.ended)) return 'ended';
      if (progress) await this.#clock.yieldTurn();
      else await this.#sleep();
    }
    return 'stopped';
  }

  /** A turn of every task. True when something happened. */
  #round(): boolean {
    const roundMs = this.#clock.monotonic();
    let progress = false;
    for (const task of this.#tasks) {
      if (task.turn(LIMITS.turnMs, roundMs) === 'progress') progress = true;
      if (this.#given.size === 0) continue;
      for (const { time } of this.#given) time.arrived(task.turnEndedMs);
      this.#given.clear();
    }
    return progress;
  }

  async #sleep(): Promise<void> {
    if (this.#awake || this.#stopped) return;
    this.#settled.resolve();
    this.#settled = Promise.withResolvers<void>();
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    this.#wakeUp = null;
  }
}
