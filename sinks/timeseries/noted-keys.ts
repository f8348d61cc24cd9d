/**
 * The series keys of one shard that a writer has noted in the store, so that most points need no word of their key: a key is noted
 * again when it reaches a later hour, and after `againMs`. Bounded: past `keysMax` it forgets all, and they are noted again.
 */
export class NotedKeys {
  readonly #keysMax: number;
  readonly #againMs: number;
  readonly #notes = new Map<string, { hour: number; atMs: number }>();

  constructor(keysMax: number, againMs: number) {
    this.#keysMax = keysMax;
    this.#againMs = againMs;
  }

  /** True when `key` is to be noted with `hour`; from then on it counts as noted. */
  note(key: string, hour: number, nowMs: number): boolean {
    const known = this.#notes.get(key);
    if (known === undefined) {
      if (this.#notes.size >= this.#keysMax) this.#notes.clear();
      this.#notes.set(key, { hour, atMs: nowMs });
      return true;
    }
    if (hour <= known.hour && Math.abs(nowMs - known.atMs) < this.#againMs) return false;
    known.hour = Math.max(known.hour, hour);
    known.atMs = nowMs;
    return true;
  }
}
