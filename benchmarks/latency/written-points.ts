import type { RedisLink } from '#engine';
import { fieldName, startOf, storedField } from '../../sinks/timeseries/series-layout.ts';
import type { PageWrite } from './point-observer.ts';

/** A point seen for the first time. */
export interface PointWrite {
  /** Text of the series key. */
  readonly key: string;
  readonly windowStart: number;
  /** Epoch ms. */
  readonly atMs: number;
}

/**
 * Which points a write to a page has brought: reads the fields of the page's newest window starts behind each notification. A point counts
 * as written when the notification before the read that found it came.
 */
export class WrittenPoints {
  readonly #redis: RedisLink;
  readonly #windowMs: number;
  readonly #onPoint: (point: PointWrite) => void;
  readonly #pages = new Map<string, PageState>();
  /** What fields have behind the window start. */
  readonly #writers = new Set<string>();

  constructor(redis: RedisLink, windowMs: number, onPoint: (point: PointWrite) => void) {
    this.#redis = redis;
    this.#windowMs = windowMs;
    this.#onPoint = onPoint;
  }

  written({ page, atMs }: PageWrite): void {
    let state = this.#pages.get(page);
    if (state === undefined)
      this.#pages.set(page, (state = { newest: null, seen: new Map(), due: [], reading: false }));
    state.due.push(atMs);
    if (!state.reading) void this.#read(page, state);
  }

  async #read(page: string, state: PageState): Promise<void> {
    state.reading = true;
    while (state.due.length > 0) {
      const atMs = state.due.shift() as number;
      const isFound =
        state.newest !== null && (await this.#take(page, state, this.#nextFields(state.newest), atMs));
      if (!isFound) await this.#take(page, state, await this.#fieldsOf(page), atMs);
    }
    state.reading = false;
  }

  /** True when the fields have points that were not seen before. */
  async #take(page: string, state: PageState, fields: readonly string[], atMs: number): Promise<boolean> {
    const values = (await this.#redis.callBuffer('HMGET', page, ...fields)) as readonly (Buffer | null)[];
    let isNew = false;
    values.forEach((value, i) => {
      if (value !== null) isNew = this.#see(state, startOf(fields[i] as string), value, atMs) || isNew;
    });
    return isNew;
  }

  #see(state: PageState, windowStart: number, value: Buffer, atMs: number): boolean {
    const seen = state.seen.get(windowStart) ?? new Set<string>();
    state.seen.set(windowStart, seen);
    state.newest = Math.max(state.newest ?? windowStart, windowStart);
    const before = seen.size;
    for (const { keyText: key } of storedField(value).records) {
      if (seen.has(key)) continue;
      seen.add(key);
      this.#onPoint({ key, windowStart, atMs });
    }
    return seen.size > before;
  }

  async #fieldsOf(page: string): Promise<readonly string[]> {
    const fields = (await this.#redis.call('HKEYS', page)) as readonly string[];
    for (const field of fields) this.#writers.add(field.slice(field.indexOf(' ') + 1));
    return fields;
  }

  /** Windows close in order: a write brings points of the newest start, of the one before, or of the next ones. */
  #nextFields(newest: number): readonly string[] {
    const starts = [-1, 0, 1, 2].map((i) => newest + i * this.#windowMs);
    return starts.flatMap((start) => [...this.#writers].map((writer) => fieldName(start, writer)));
  }
}

interface PageState {
  newest: number | null;
  /** Keys whose point of a window start was seen. */
  readonly seen: Map<number, Set<string>>;
  /** Notifications that no read has followed yet. */
  readonly due: number[];
  reading: boolean;
}
