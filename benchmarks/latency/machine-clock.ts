/**
 * Epoch time in ms with fractions, the same in every process of a run: the machine's monotonic clock, which all processes share, plus one
 * offset that one of them has chosen. So neither a step of the wall clock nor the moments at which processes began come between them.
 */
export interface MachineClock {
  /** What other processes need to have the same clock. */
  readonly offsetMs: number;
  readonly now: () => number;
}

/** @param offsetMs of the process that measures; default: this process chooses it now */
export function machineClock(offsetMs: number = Date.now() - monotonicMs()): MachineClock {
  const base = offsetMs + monotonicMs() - performance.now();
  return { offsetMs, now: () => base + performance.now() };
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
