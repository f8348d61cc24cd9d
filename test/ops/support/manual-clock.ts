import type { Clock } from '../../../engine/base/clock.ts';

/** Time that moves only when told to. Callbacks of `after` and sleepers run in order of their times. */
export interface ManualClock extends Clock {
  readonly advance: (ms: number) => void;
}

export function manualClock(startMs = 1_760_000_000_000): ManualClock {
  let now = startMs;
  let order = 0;
  const waiting = new Map<number, { readonly at: number; readonly run: () => void }>();
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
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...waiting]
          .filter(([, timer]) => timer.at <= end)
          .sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0];
        if (due === undefined) break;
        waiting.delete(due[0]);
        now = Math.max(now, due[1].at);
        due[1].run();
      }
      now = end;
    },
  };
}
