import type { StateCells } from '#engine';
import { type CellKind, copyOf, type CurrentKey, plainDraft, reachValue } from './cell-kind.ts';
import type { ListHandle } from './state-kinds.ts';
import { ExpirySweep, type TimeToLive } from './time-to-live.ts';

/**
 * The list of one key.
 *
 * LC1 an array that was handed out never changes: whoever adds to a list that is shared copies it first.
 * LC2 a list is never empty.
 */
interface ListCell {
  values: unknown[];
  /** When each element's life began, in the order of `values`; null without a time to live. */
  times: number[] | null;
  shared: boolean;
}

const NONE: readonly unknown[] = Object.freeze([]);

/** A list per key. Stored: the elements; with a time to live `[element, at]` each. */
export function listCells(current: CurrentKey, ttl: TimeToLive | null): CellKind<ListCell> {
  const store = ({ values, times }: ListCell) => {
    if (times === null || ttl === null) return copyOf(values);
    const live: [unknown, number][] = [];
    for (const [i, at] of times.entries()) if (!ttl.expired(at)) live.push([copyOf(values[i]), at]);
    return live.length === 0 ? undefined : live;
  };
  return {
    expires: ttl !== null,
    store,
    draft: () => (ttl === null ? plainDraft(({ values }) => values, copyOf) : plainDraft(store)),
    reach: ({ values }) => reachValue(values),
    load(stored, form) {
      const upgrade = form?.upgrade ?? ((value: unknown) => value);
      let elements: (readonly [unknown, number])[];
      if (form?.timed ?? ttl !== null) elements = stored as [unknown, number][];
      else elements = (stored as unknown[]).map((value) => [value, current.now]);
      if (ttl !== null) elements = elements.filter(([, at]) => !ttl.expired(at));
      if (elements.length === 0) return undefined;
      return {
        values: elements.map(([value]) => upgrade(value)),
        times: ttl === null ? null : elements.map(([, at]) => at),
        shared: false,
      };
    },
    handle: (cells) =>
      ttl === null ? listHandle(cells, current, null, () => {}) : timedHandle(cells, current, ttl),
  };
}

function timedHandle(cells: StateCells<ListCell>, current: CurrentKey, ttl: TimeToLive): ListHandle<unknown> {
  const sweep = new ExpirySweep(cells, (slot, cell, it) => {
    it.budget--;
    const times = cell.times as number[];
    // A copy only when it frees a quarter: what adding costs stays constant.
    if (!ttl.expired(times[times.length >> 2] as number)) return true;
    current.touch(slot);
    keepLive(cells, slot, cell, ttl);
    return true;
  });
  return listHandle(cells, current, ttl, () => sweep.step());
}

function listHandle(
  cells: StateCells<ListCell>,
  current: CurrentKey,
  ttl: TimeToLive | null,
  sweep: () => void,
): ListHandle<unknown> {
  const open = (): ListCell => {
    const cell = cells.get(current.slot) ?? { values: [], times: ttl === null ? null : [], shared: false };
    if (!cell.shared) return cell;
    cell.values = cell.values.slice();
    cell.shared = false;
    return cell;
  };
  const append = (cell: ListCell, element: unknown) => {
    cell.values.push(element);
    cell.times?.push(current.now);
  };
  const addAll = (elements: readonly unknown[]) => {
    if (elements.length === 0) return;
    const cell = open();
    for (const element of elements) append(cell, element);
    cells.set(current.slot, cell);
  };
  return {
    get() {
      sweep();
      const cell = cells.get(current.slot);
      if (cell === undefined) return NONE;
      return read(cells, current, cell, ttl);
    },
    add(element) {
      sweep();
      const cell = open();
      append(cell, element);
      cells.set(current.slot, cell);
    },
    addAll(elements) {
      sweep();
      addAll(elements);
    },
    update(elements) {
      sweep();
      cells.clear(current.slot);
      addAll(elements);
    },
    clear() {
      sweep();
      cells.clear(current.slot);
    },
  };
}

function read(
  cells: StateCells<ListCell>,
  { slot }: CurrentKey,
  cell: ListCell,
  ttl: TimeToLive | null,
): readonly unknown[] {
  if (ttl !== null && cell.times !== null) {
    if (!ttl.showsExpired && cell.times.some((at) => ttl.expired(at))) keepLive(cells, slot, cell, ttl);
    if (cell.values.length === 0) return NONE;
    if (ttl.refreshesOnRead) {
      cell.times = cell.times.map((at) => (ttl.expired(at) ? at : ttl.now));
      cells.set(slot, cell);
    }
  }
  cell.shared = true;
  return cell.values;
}

/** Drops the expired elements, and the cell with the last of them. */
function keepLive(cells: StateCells<ListCell>, slot: number, cell: ListCell, ttl: TimeToLive): void {
  const times = cell.times as number[];
  cell.values = cell.values.filter((_, i) => !ttl.expired(times[i] as number));
  cell.times = times.filter((at) => !ttl.expired(at));
  cell.shared = false;
  if (cell.values.length === 0) cells.clear(slot);
  else cells.set(slot, cell);
}
