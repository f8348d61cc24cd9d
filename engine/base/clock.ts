import { setImmediate } from 'node:timers/promises';

/** Time as the engine sees it. Injected everywhere, so that tests and simulations own it. */
export interface Clock {
  /** Wall-clock time, epoch ms. */
  readonly now: () => number;
  /** Monotonic time in ms, for durations only. */
  readonly monotonic: () => number;
  /** Runs `callback` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** Resolves after `ms`, or at once (without error) when `signal` aborts. Keeps the process alive. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Resolves after timers and I/O have had a turn: what long work calls between two slices. */
  readonly yieldTurn: () => Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  yieldTurn: () => setImmediate(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
};
