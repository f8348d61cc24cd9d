import { type ArraySource, newArrays } from '#engine';

/** The timers of a key group as stored: the key of each by its index in the group, and its time. */
export interface TimerLists {
  readonly keys: ArrayLike<number>;
  readonly times: ArrayLike<number>;
}

/** Pair by pair where they were stored before they lay in lists. */
export type StoredTimers = TimerLists | readonly (readonly [key: number, time: number])[];

/** Stored timers in the form of today. */
export function listedTimers(stored: StoredTimers): TimerLists {
  if (!isPairs(stored)) return stored;
  return { keys: stored.map(([key]) => key), times: stored.map(([, time]) => time) };
}

function isPairs(stored: StoredTimers): stored is Exclude<StoredTimers, TimerLists> {
  return Array.isArray(stored);
}

/** The timers of a key group in the making. */
export class DraftTimers {
  readonly #keys: number[] = [];
  readonly #times: number[] = [];

  add(key: number, time: number): void {
    this.#keys.push(key);
    this.#times.push(time);
  }

  stored(arrays: ArraySource = newArrays): TimerLists {
    const keys = arrays.int32(this.#keys.length);
    keys.set(this.#keys);
    const times = arrays.float64(this.#times.length);
    times.set(this.#times);
    return { keys, times };
  }
}
