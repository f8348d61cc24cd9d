import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#engine';

/** Time that moves only when it is told to. */
export interface VirtualClock extends Clock {
  /** Moves time on by `ms`; callbacks and sleepers that fall due run in the order of their times. */
  readonly advance: (ms: number) => void;
  /** When the next callback or sleeper is due, epoch ms; null when nobody waits. */
  readonly nextDue: () => number | null;
}

export function virtualClock(startMs = 0): VirtualClock {
  let now = startMs;
  let order = 0;
  const waiting = new Map<number, { readonly at: number; readonly run: () => void }>();
  const next = () => [...waiting].sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0];
  const after = (ms: number, run: () => void) => {
    const id = order++;
    waiting.set(id, { at: now + ms, run });
    return () => void waiting.delete(id);
  };
  return {
    now: () => now,
    monotonic: () => now - startMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const cancel = after(ms, resolve);
        signal?.addEventListener('abort', () => (cancel(), resolve()), { once: true });
      }),
    yieldTurn: () => setImmediate(),
    advance(ms) {
      const end = now + ms;
      for (let due = next(); due !== undefined && due[1].at <= end; due = next()) {
        waiting.delete(due[0]);
        now = Math.max(now, due[1].at);
        due[1].run();
      }
      now = end;
    },
    nextDue: () => next()?.[1].at ?? null,
  };
}
