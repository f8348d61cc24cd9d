import type { Clock } from '../../engine/base/clock.ts';
import { invariant } from '../../engine/base/errors.ts';
import type { Random } from '../../engine/base/random.ts';
import type { EventLabel, EventOwner, SimEvent, SimKernel } from './kernel.ts';

/**
 * One simulated operating system process: a thread with a clock, timers and randomness of its own, that can be killed and frozen.
 * It may have further threads, which are processes that share its fate.
 *
 * Owns its events. Does not own its connections, which watch {@link SimProcess.state}.
 *
 * SP1 A killed process runs nothing more: its events are dropped and its promises hang for ever.
 * SP2 A frozen process runs nothing until it is thawed; then what was due runs in order, and its clock has jumped.
 * SP3 It does one thing at a time: an event that takes virtual time holds up the next ones, in order.
 *
 * Time passes inside an event with each look at the clock, so loops that work for so many ms come to an end.
 */
export class SimProcess implements EventOwner {
  readonly name: string;
  /** What it is one of: faults are aimed at roles. */
  readonly role: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly #kernel: SimKernel;
  readonly #pace: Random;
  readonly #held: SimEvent[] = [];
  readonly #onKill = new Set<() => void>();
  readonly #threads = new Set<SimProcess>();
  readonly #skewMs: number;
  #state: 'alive' | 'frozen' | 'dead' = 'alive';
  #busyUntilMs = 0;
  #spentMs = 0;
  #lookMs = LOOK_MS;
  #slowTurnShare: number;

  constructor(kernel: SimKernel, name: string, options: SimProcessOptions = {}) {
    this.#kernel = kernel;
    this.name = name;
    this.role = options.role ?? name;
    this.random = kernel.random(`process ${name}`);
    this.#pace = kernel.random(`pace ${name}`);
    this.#slowTurnShare = options.slowTurnShare ?? 0;
    this.#skewMs = options.skewMs ?? 0;
    this.clock = this.#createClock(EPOCH_MS + this.#skewMs);
  }

  get state(): 'alive' | 'frozen' | 'dead' {
    return this.#state;
  }

  /** How far into its turn it is: what it does now happens so long after the turn has begun. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** Random, but the same for the same seed. */
  readonly uuid = (): string => {
    const hex = Array.from({ length: 8 }, () =>
      Math.floor(this.random() * 0x1_0000)
        .toString(16)
        .padStart(4, '0'),
    );
    return `${hex[0]}${hex[1]}-${hex[2]}-${hex[3]}-${hex[4]}-${hex[5]}${hex[6]}${hex[7]}`;
  };

  /** Another thread of this process: has its clock, is frozen and dies with it, and may die alone. */
  thread(name: string): SimProcess {
    const { role } = this;
    const options = { role, skewMs: this.#skewMs, slowTurnShare: this.#slowTurnShare };
    const thread = new SimProcess(this.#kernel, `${this.name}:${name}`, options);
    if (this.#state === 'dead') thread.kill();
    else this.#threads.add(thread);
    thread.onKill(() => this.#threads.delete(thread));
    return thread;
  }

  /** Its threads that live, in the order in which they were started. */
  get threads(): readonly SimProcess[] {
    return [...this.#threads];
  }

  /** Runs `run` as an event of this process after `delayMs`. */
  schedule(delayMs: number, label: EventLabel, run: () => void): () => void {
    if (this.#state === 'dead') return () => {};
    return this.#kernel.schedule(delayMs + this.#spentMs, this, label, run);
  }

  /** Starts `main` as an event; a rejection fails the simulation unless `main` handles it. */
  start(label: string, main: () => Promise<void>): void {
    this.schedule(0, label, () => void main());
  }

  /** As SIGKILL: nothing of it runs any more, not even what follows in this turn reaches the world. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#held.length = 0;
    this.#kernel.note(`${this.name} killed`);
    for (const listener of this.#onKill) listener();
    for (const thread of this.#threads) thread.kill();
  }

  /** As SIGSTOP. */
  freeze(): void {
    if (this.#state !== 'alive') return;
    this.#state = 'frozen';
    this.#kernel.note(`${this.name} frozen`);
    for (const thread of this.#threads) thread.freeze();
  }

  /** As SIGCONT. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'alive';
    this.#kernel.note(`${this.name} thawed`);
    for (const event of this.#held.splice(0)) this.#kernel.postpone(event, this.#kernel.nowMs);
    for (const thread of this.#threads) thread.thaw();
  }

  /** Calls `listener` when the process is killed. */
  onKill(listener: () => void): void {
    this.#onKill.add(listener);
  }

  admits(event: SimEvent): boolean {
    if (this.#state === 'dead') return false;
    if (this.#state === 'frozen') {
      this.#held.push(event);
      return false;
    }
    if (this.#busyUntilMs > this.#kernel.nowMs) {
      this.#kernel.postpone(event, this.#busyUntilMs);
      return false;
    }
    const isSlow = this.#slowTurnShare > 0 && this.#pace() < this.#slowTurnShare;
    this.#lookMs = isSlow ? LOOK_MS * (1 + this.#pace() * SLOWDOWN_MAX) : LOOK_MS;
    this.#spentMs = this.#lookMs;
    return true;
  }

  finished(): void {
    this.#busyUntilMs = this.#kernel.nowMs + this.#spentMs;
    this.#spentMs = 0;
  }

  #createClock(startMs: number): Clock {
    const after = (ms: number, callback: () => void) => {
      invariant(Number.isFinite(ms) || ms === Number.POSITIVE_INFINITY, `a timer is set to ${ms} ms`);
      // Like Node: at least 1 ms, and never early.
      return this.schedule(Math.max(1, ms) + this.#pace(), 'timer', callback);
    };
    return {
      now: () => Math.floor(startMs + this.#look()),
      monotonic: () => this.#look(),
      after,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const done = () => {
            cancel();
            signal?.removeEventListener('abort', done);
            resolve();
          };
          const cancel = after(ms, done);
          signal?.addEventListener('abort', done, { once: true });
        }),
      yieldTurn: () => new Promise((resolve) => this.schedule(0, 'turn', resolve)),
    };
  }

  #look(): number {
    const readMs = this.#kernel.nowMs + this.#spentMs;
    if (this.#spentMs > 0) this.#spentMs += this.#lookMs;
    return readMs;
  }
}

export interface SimProcessOptions {
  /** Default: its name. */
  readonly role?: string;
  /** How far its wall clock is ahead of true time. */
  readonly skewMs?: number;
  /** Share of its turns that are much slower than the others. */
  readonly slowTurnShare?: number;
}

/** Wall-clock time at virtual time 0. */
export const EPOCH_MS = Date.UTC(2026, 0, 15, 12);
/** What one look at the clock stands for: the work between two looks. */
const LOOK_MS = 0.05;
const SLOWDOWN_MAX = 400;
