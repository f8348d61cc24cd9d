import type { StateCells } from '#engine';
import { type CellKind, copyOf, type CurrentKey } from './cell-kind.ts';
import { CompactMap, type MapKey } from './compact-map.ts';
import type { MapHandle } from './state-kinds.ts';
import { ExpirySweep, type TimedValue, type TimeToLive } from './time-to-live.ts';

/** Never empty. */
type MapCell<V> = CompactMap<V>;

const NONE = new CompactMap<never>();

/** A map per key. Stored: `[key, value]` per entry; with a time to live `[key, value, at]`. */
export function mapCells(current: CurrentKey, ttl: TimeToLive | null): CellKind<MapCell<unknown>> {
  return {
    expires: ttl !== null,
    store(cell) {
      if (ttl === null) return Array.from(cell.entries(), ([key, value]) => [key, copyOf(value)]);
      const live = [...(cell as MapCell<TimedValue>).entries()].filter(([, { at }]) => !ttl.expired(at));
      return live.length === 0 ? undefined : live.map(([key, { value, at }]) => [key, copyOf(value), at]);
    },
    load(stored, form) {
      const cell: MapCell<unknown> = new CompactMap();
      for (const [key, before, at = current.now] of stored as [MapKey, unknown, number?][]) {
        if (ttl?.expired(at)) continue;
        const value = form === undefined ? before : form.upgrade(before);
        cell.set(key, ttl === null ? value : ({ value, at } satisfies TimedValue));
      }
      return cell.size === 0 ? undefined : cell;
    },
    handle: (cells) =>
      ttl === null
        ? plainHandle(cells, current)
        : timedHandle(cells as StateCells<MapCell<TimedValue>>, current, ttl),
  };
}

function plainHandle(cells: StateCells<MapCell<unknown>>, current: CurrentKey): MapHandle<MapKey, unknown> {
  const cell = () => cells.get(current.slot) ?? NONE;
  return {
    get: (key) => cell().get(key),
    has: (key) => cell().has(key),
    set(key, value) {
      if (value === undefined) remove(cells, current.slot, key);
      else put(cells, current.slot, key, value);
    },
    delete: (key) => remove(cells, current.slot, key),
    keys: () => cell().keys(),
    values: () => cell().values(),
    entries: () => cell().entries(),
    get size() {
      return cell().size;
    },
    clear: () => cells.clear(current.slot),
  };
}

function timedHandle(
  cells: StateCells<MapCell<TimedValue>>,
  current: CurrentKey,
  ttl: TimeToLive,
): MapHandle<MapKey, unknown> {
  const sweep = new ExpirySweep(cells, entrySweep(cells, current, ttl));
  const { find, read, visible } = timedEntries(cells, current, ttl);
  const swept = <R>(result: R): R => {
    sweep.step();
    return result;
  };
  return {
    get(key) {
      sweep.step();
      return find(key, ttl.refreshesOnRead)?.value;
    },
    has(key) {
      sweep.step();
      return find(key, ttl.refreshesOnRead) !== undefined;
    },
    set(key, value) {
      sweep.step();
      const entry = find(key, false);
      if (value === undefined) remove(cells, current.slot, key);
      else if (entry === undefined) put(cells, current.slot, key, { value, at: ttl.now });
      else put(cells, current.slot, key, Object.assign(entry, { value, at: ttl.now }));
    },
    delete(key) {
      sweep.step();
      const wasThere = find(key, false) !== undefined;
      remove(cells, current.slot, key);
      return wasThere;
    },
    keys: () => swept(read((key) => key)),
    values: () => swept(read((_, value) => value)),
    entries: () => swept(read((key, value) => [key, value] as const)),
    get size() {
      sweep.step();
      let size = 0;
      for (const _ of visible()) size++;
      return size;
    },
    clear() {
      sweep.step();
      cells.clear(current.slot);
    },
  };
}

/** The current key's entries as they may be seen. */
function timedEntries(cells: StateCells<MapCell<TimedValue>>, current: CurrentKey, ttl: TimeToLive) {
  const refresh = (entry: TimedValue) => {
    if (entry.at === ttl.now || ttl.expired(entry.at)) return;
    entry.at = ttl.now;
    const cell = cells.get(current.slot);
    if (cell !== undefined) cells.set(current.slot, cell);
  };
  function* visible(): Generator<readonly [MapKey, TimedValue]> {
    for (const it of (cells.get(current.slot) ?? NONE).entries())
      if (ttl.showsExpired || !ttl.expired(it[1].at)) yield it;
  }
  function* read<R>(part: (key: MapKey, value: unknown) => R): Generator<R> {
    for (const [key, entry] of visible()) {
      if (ttl.refreshesOnRead) refresh(entry);
      yield part(key, entry.value);
    }
  }
  /** The entry if it can be read. An expired one goes, unless it shows. */
  const find = (key: MapKey, refreshes: boolean): TimedValue | undefined => {
    const entry = cells.get(current.slot)?.get(key);
    if (entry === undefined) return undefined;
    if (ttl.expired(entry.at) && !ttl.showsExpired) {
      remove(cells, current.slot, key);
      return undefined;
    }
    if (refreshes) refresh(entry);
    return entry;
  };
  return { find, read, visible };
}

/** Looks at a map's entries a few at a time, and goes on where it stopped. */
function entrySweep(cells: StateCells<MapCell<TimedValue>>, current: CurrentKey, ttl: TimeToLive) {
  let open: MapCell<TimedValue> | null = null;
  let entries: Iterator<[MapKey, TimedValue]> = NONE.entries();
  return (slot: number, cell: MapCell<TimedValue>, sweep: { budget: number }): boolean => {
    if (open !== cell) {
      open = cell;
      entries = cell.entries();
    }
    let removed = 0;
    let isThrough = false;
    while (sweep.budget > 0 && !isThrough) {
      const next = entries.next();
      isThrough = next.done ?? false;
      if (next.done) break;
      sweep.budget--;
      if (ttl.expired(next.value[1].at)) {
        current.touch(slot);
        cell.delete(next.value[0]);
        removed++;
      }
    }
    if (isThrough || cell.size === 0) open = null;
    if (removed > 0 && cell.size === 0) cells.clear(slot);
    else if (removed > 0) cells.set(slot, cell);
    return open === null;
  };
}

function put<V>(cells: StateCells<MapCell<V>>, slot: number, key: MapKey, value: V): void {
  const cell = cells.get(slot) ?? new CompactMap<V>();
  cell.set(key, value);
  cells.set(slot, cell);
}

function remove<V>(cells: StateCells<MapCell<V>>, slot: number, key: MapKey): boolean {
  const cell = cells.get(slot);
  if (cell === undefined || !cell.delete(key)) return false;
  if (cell.size === 0) cells.clear(slot);
  else cells.set(slot, cell);
  return true;
}
