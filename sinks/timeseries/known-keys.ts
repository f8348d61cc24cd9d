import { placeOf } from './series-layout.ts';

/** A series key as a writer knows it: where it lies, and what the store was told of it last. */
export interface KnownKey {
  readonly keyText: string;
  readonly shard: number;
  readonly page: number;
  /** Noted hour of its newest point. */
  hour: number;
  /** Wall time of the note. */
  notedMs: number;
}

/**
 * The series keys of one writer. Most points need no word of their key in the store: a key is noted again when it reaches a later hour,
 * and after `againMs`. Bounded: past `keysMax` all are forgotten, and noted again.
 */
export class KnownKeys {
  readonly #keysMax: number;
  readonly #againMs: number;
  readonly #keys = new Map<string, KnownKey>();

  constructor(keysMax: number, againMs: number) {
    this.#keysMax = keysMax;
    this.#againMs = againMs;
  }

  of(keyText: string): KnownKey {
    let key = this.#keys.get(keyText);
    if (key === undefined) {
      if (this.#keys.size >= this.#keysMax) this.#keys.clear();
      key = { keyText, ...placeOf(keyText), hour: Number.NEGATIVE_INFINITY, notedMs: 0 };
      this.#keys.set(keyText, key);
    }
    return key;
  }

  /** True when `key` is to be noted with `hour`; from then on it counts as noted. */
  note(key: KnownKey, hour: number, nowMs: number): boolean {
    if (hour <= key.hour && Math.abs(nowMs - key.notedMs) < this.#againMs) return false;
    key.hour = Math.max(key.hour, hour);
    key.notedMs = nowMs;
    return true;
  }
}
