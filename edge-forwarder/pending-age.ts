import type { Lane } from './lane.ts';

/** Looks closer together than this part of the time that records have waited are taken as one: an hour is told to a minute. */
const LOOKS_PER_WAIT = 64;

/** Everything below `to` was stored by `atMs` (monotonic). */
interface Look {
  readonly to: number;
  readonly atMs: number;
}

/**
 * How long the oldest record that is not confirmed has waited, from looks at the lanes from time to time. What it remembers grows with
 * the logarithm of that time.
 */
export class PendingAge {
  readonly #looks = new Map<number, readonly Look[]>();

  look(lanes: Iterable<Lane>, atMs: number): void {
    for (const { partition, confirmedTo, next } of lanes) {
      const before = (this.#looks.get(partition) ?? []).filter(({ to }) => to > confirmedTo);
      if (next > (before.at(-1)?.to ?? confirmedTo)) {
        const waitedMs = atMs - (before[0]?.atMs ?? atMs);
        if (atMs - (before.at(-2)?.atMs ?? -Infinity) < waitedMs / LOOKS_PER_WAIT) before.pop();
        before.push({ to: next, atMs });
      }
      this.#looks.set(partition, before);
    }
  }

  /** At least so long, ms; null when nothing waits that a look has seen. What an earlier run left counts from the start of this one. */
  oldestMs(lanes: Iterable<Lane>, nowMs: number): number | null {
    let oldest: number | null = null;
    for (const { partition, confirmedTo } of lanes) {
      const first = this.#looks.get(partition)?.find(({ to }) => to > confirmedTo);
      if (first !== undefined) oldest = Math.max(oldest ?? 0, nowMs - first.atMs);
    }
    return oldest;
  }
}
