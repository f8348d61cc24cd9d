/** Uniform numbers in [0, 1). Injected, so that a printed seed replays a run. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** A small, fast, seeded generator (mulberry32). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Exponential backoff with full jitter: attempt 0 waits up to `firstMs`, doubling up to `maxMs`. */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: Random): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.max(1, Math.round(ceiling * (0.5 + random() / 2)));
}
