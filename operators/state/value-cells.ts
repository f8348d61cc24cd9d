import type { StateCells } from '#engine';
import { type CellKind, copyOf, type CurrentKey, plainDraft, reachValue } from './cell-kind.ts';
import type { Fold } from './state-kinds.ts';
import { ExpirySweep, type TimedValue, type TimeToLive } from './time-to-live.ts';

/** How the current key's value is reached. */
interface ValueAccess {
  readonly get: () => unknown;
  /** Undefined clears. */
  readonly set: (value: unknown) => void;
  readonly clear: () => void;
}

/** One value per key. Stored: the value; with a time to live `[value, at]`. A {@link Fold} makes it reducing or aggregating state. */
export function valueCells(
  current: CurrentKey,
  ttl: TimeToLive | null,
  fold: Fold | undefined,
): CellKind<unknown> {
  const store = (cell: unknown) => {
    if (ttl === null) return copyOf(cell);
    const { value, at } = cell as TimedValue;
    return ttl.expired(at) ? undefined : [copyOf(value), at];
  };
  return {
    expires: ttl !== null,
    store,
    draft: () => (ttl === null ? plainDraft((cell) => cell, copyOf) : plainDraft(store)),
    reach: reachValue,
    load(stored, form) {
      const wasTimed = form?.timed ?? ttl !== null;
      const [before, at] = wasTimed ? (stored as [unknown, number]) : [stored, current.now];
      const value = form === undefined ? before : form.upgrade(before);
      if (ttl === null || value === undefined) return value;
      return ttl.expired(at) ? undefined : ({ value, at } satisfies TimedValue);
    },
    handle(cells) {
      const access =
        ttl === null ? plain(cells, current) : timed(cells as StateCells<TimedValue>, current, ttl);
      return fold === undefined ? access : folding(access, fold);
    },
  };
}

function plain(cells: StateCells<unknown>, current: CurrentKey): ValueAccess {
  return {
    get: () => cells.get(current.slot),
    set(value) {
      if (value === undefined) cells.clear(current.slot);
      else cells.set(current.slot, value);
    },
    clear: () => cells.clear(current.slot),
  };
}

function timed(cells: StateCells<TimedValue>, current: CurrentKey, ttl: TimeToLive): ValueAccess {
  const sweep = new ExpirySweep(cells, (slot, { at }, it) => {
    it.budget--;
    if (!ttl.expired(at)) return true;
    current.touch(slot);
    cells.clear(slot);
    return true;
  });
  return {
    get() {
      sweep.step();
      const cell = cells.get(current.slot);
      if (cell === undefined) return undefined;
      if (ttl.expired(cell.at)) return ttl.showsExpired ? cell.value : cells.clear(current.slot);
      if (ttl.refreshesOnRead && cell.at !== ttl.now) {
        cell.at = ttl.now;
        cells.set(current.slot, cell);
      }
      return cell.value;
    },
    set(value) {
      sweep.step();
      if (value === undefined) return cells.clear(current.slot);
      const cell = cells.get(current.slot);
      if (cell === undefined) return cells.set(current.slot, { value, at: ttl.now });
      cell.value = value;
      cell.at = ttl.now;
      cells.set(current.slot, cell);
    },
    clear() {
      sweep.step();
      cells.clear(current.slot);
    },
  };
}

function folding({ get, set, clear }: ValueAccess, { add, result }: Fold): unknown {
  return {
    add: (value: unknown) => set(add(get(), value)),
    get() {
      const accumulator = get();
      return accumulator === undefined ? undefined : result(accumulator);
    },
    clear,
  };
}
