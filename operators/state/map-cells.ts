import { EntriesDraft, type StateCells } from '#engine';
import { type CellKind, type CellsDraft, copyOf, type CurrentKey } from './cell-kind.ts';
import { CompactMap, type MapKey } from './compact-map.ts';
import type { MapHandle } from './state-kinds.ts';
import { ExpirySweep, type TimedValue, type TimeToLive } from './time-to-live.ts';

/** Never empty. */
type MapCell<V> = CompactMap<V>;

type StoredEntry = readonly [key: MapKey, value: unknown, at?: number];

const NONE = new CompactMap<never>();

/** A map per key. Stored: `[key, value]` per entry; with a time to live `[key, value, at]`. */
export function mapCells(current: CurrentKey, ttl: TimeToLive | null): CellKind<MapCell<unknown>> {
  return {
    expires: ttl !== null,
    store(cell) {
      const stored: StoredEntry[] = [];
      forEachStored(cell, ttl, (key, value, at) =>
        stored.push(at === undefined ? [key, copyOf(value)] : [key, copyOf(value), at]),
      );
      return stored.length === 0 ? undefined : stored;
    },
    draft: () => mapsDraft(ttl),
    reach: (cell) => cell.reach(),
    load(stored, form) {
      const cell: MapCell<unknown> = new CompactMap();
      for (const [key, before, at = current.now] of stored as StoredEntry[]) {
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

/** Entries that have not expired. */
function forEachStored(
  cell: MapCell<unknown>,
  ttl: TimeToLive | null,
  visit: (...entry: StoredEntry) => void,
): void {
  if (ttl === null) return cell.forEach(visit);
  (cell as MapCell<TimedValue>).forEach((key, { value, at }) => {
    if (!ttl.expired(at)) visit(key, value, at);
  });
}

function mapsDraft(ttl: TimeToLive | null): CellsDraft<MapCell<unknown>> {
  const entries = new EntriesDraft(copyOf);
  const add = (key: MapKey, value: unknown, at?: number) => entries.add(key, value, at);
  return {
    add(cell) {
      const { size } = entries;
      forEachStored(cell, ttl, add);
      if (entries.size === size) return false;
      entries.close();
      return true;
    },
    addStored(stored) {
      for (const [key, value, at] of stored as StoredEntry[]) add(key, value, at);
      entries.close();
    },
    reserve: (cells, arrays) => entries.reserve(cells, arrays),
    stored: (arrays) => entries.stored(arrays),
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
