import { LRUCache } from 'lru-cache';
import { type Clock, type Duration, durationMs, MillraceError } from '#engine';
import { atLeastOne } from './call-policy.ts';
import type { KnownValue } from './known-values.ts';

export interface LookupCacheOptions {
  /** Keys kept at most, known absent ones included; the longest unused goes first. */
  readonly entries: number;
  /** How long a value is used before it is loaded again. */
  readonly ttl: Duration;
  /** The same for "there is no such key". 0 asks every time. Default {@link ttl}. */
  readonly negativeTtl?: Duration;
}

/** {@link LookupCacheOptions}, checked. */
export interface LookupCacheSpec {
  readonly entries: number;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
}

/** @throws MR_CONFIG_INVALID */
export function lookupCacheSpec(options: LookupCacheOptions): LookupCacheSpec {
  atLeastOne(options.entries, 'A lookup cache needs a number of entries');
  const ttlMs = durationMs(options.ttl, 'ttl of a lookup cache');
  if (ttlMs === 0)
    throw new MillraceError('MR_CONFIG_INVALID', 'The ttl of a lookup cache must be at least 1 ms.');
  const negativeTtlMs =
    options.negativeTtl === undefined
      ? ttlMs
      : durationMs(options.negativeTtl, 'negativeTtl of a lookup cache');
  return { entries: options.entries, ttlMs, negativeTtlMs };
}

export type LookupKey = string | number;

/** A value that is asked for all the time is looked for so often in a cache that may soon be full. */
const LOOK_AGAIN_MS = 1_000;

/** Stored for a key that is known to be absent: the cache itself holds no null. */
const ABSENT: unique symbol = Symbol('absent');

/**
 * Values by key with an age limit, least recently used out first. Time stands still between two calls of {@link LookupCache.tick}, so
 * that a batch reads the clock once.
 */
export class LookupCache {
  readonly #clock: Clock;
  readonly #entries: LRUCache<LookupKey, NonNullable<unknown>>;
  readonly #present: { readonly ttl: number };
  readonly #absent: { readonly ttl: number } | null;
  readonly #max: number;
  #nowMs = 1;

  constructor({ entries, ttlMs, negativeTtlMs }: LookupCacheSpec, clock: Clock) {
    this.#clock = clock;
    this.#max = entries;
    this.#present = { ttl: ttlMs };
    this.#absent = negativeTtlMs === 0 ? null : { ttl: negativeTtlMs };
    this.#entries = new LRUCache({
      max: entries,
      ttl: ttlMs,
      ttlResolution: 0,
      perf: { now: () => this.#nowMs },
    });
    this.tick();
  }

  get size(): number {
    return this.#entries.size;
  }

  tick(): void {
    // The library takes a start of 0 for "has no age".
    this.#nowMs = this.#clock.monotonic() + 1;
  }

  /** The value; null when known to be absent; undefined when not known. */
  get(key: LookupKey): unknown {
    const value = this.#entries.get(key);
    return value === ABSENT ? null : value;
  }

  /** The same with the time until which it may be used without another look: its own, and soon enough for the key to count as used. */
  known(key: LookupKey): KnownValue | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    const leftMs = this.#entries.getRemainingTTL(key);
    const isRoomy = 2 * this.size <= this.#max;
    return { value, untilMs: this.#nowMs + (isRoomy ? leftMs : Math.min(LOOK_AGAIN_MS, leftMs)) };
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  set(key: LookupKey, value: unknown): void {
    if (value !== null && value !== undefined) this.#entries.set(key, value, this.#present);
    else if (this.#absent === null) this.#entries.delete(key);
    else this.#entries.set(key, ABSENT, this.#absent);
  }
}
