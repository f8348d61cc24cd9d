import { type ArraySource, type CellFormat, type StateCells, type StoredValues, ValuesDraft } from '#engine';

/** Whose turn it is, and when: what the handles of an operator share. */
export interface CurrentKey {
  slot: number;
  /** Processing time of the batch or timer, epoch ms. */
  now: number;
  /** Called before what is kept of a key changes, unless it is the current one. */
  readonly touch: (slot: number) => void;
}

/** How stored data is to be read. */
export interface StoredForm {
  /** Whether values are stored with their times. */
  readonly timed: boolean;
  readonly upgrade: (value: unknown) => unknown;
}

/** Cells on their way into a snapshot, which shares no memory with them. */
export interface CellsDraft<Cell> {
  /** False, with nothing added, when nothing is left of the cell. */
  readonly add: (cell: Cell) => boolean;
  /** Adds what {@link CellFormat.store} has given. */
  readonly addStored: (stored: unknown) => void;
  /** Takes room for so many cells. */
  readonly reserve: (cells: number, arrays: ArraySource) => void;
  readonly stored: (arrays: ArraySource) => StoredValues;
}

/** One kind of state, opened for one declaration: how its cells look, are stored, and are worked with. */
export interface CellKind<Cell> extends CellFormat<Cell> {
  /** For the cells of a key group in a snapshot. */
  readonly draft: () => CellsDraft<Cell>;
  /** @param form of what is stored; without it the declared one */
  readonly load: (stored: unknown, form?: StoredForm) => Cell | undefined;
  /** Reads of a cell what users will, and gives a number that comes of it ({@link reachValue}). */
  readonly reach: (cell: Cell) => number;
  /** The handle that users work with. */
  readonly handle: (cells: StateCells<Cell>) => unknown;
}

/**
 * For cells that each are one value in a snapshot.
 * @param storedOf gives it, undefined when nothing of a cell is left
 * @param copy of it, where it shares memory with the cell
 */
export function plainDraft<Cell>(
  storedOf: (cell: Cell) => unknown,
  copy: (stored: unknown) => unknown = (stored) => stored,
): CellsDraft<Cell> {
  const values = new ValuesDraft(copy);
  return {
    add(cell) {
      const stored = storedOf(cell);
      if (stored !== undefined) values.add(stored);
      return stored !== undefined;
    },
    addStored: (stored) => values.add(stored),
    reserve: (cells, arrays) => values.reserve(cells, arrays),
    stored: (arrays) => values.stored(arrays),
  };
}

/** Reads where an object begins, or the first and last item of an array. */
export function reachValue(value: unknown): number {
  if (!Array.isArray(value)) return typeof value === 'object' ? 1 : 0;
  const items = value as readonly unknown[];
  return items.length === 0 ? 0 : reachItem(items[0]) + reachItem(items[items.length - 1]);
}

function reachItem(item: unknown): number {
  return typeof item === 'number' ? item : 0;
}

/** A copy that shares no memory. What JSON knows is copied here: structuredClone takes ten times as long. */
export function copyOf<V>(value: V): V {
  // What cannot be stored is refused by structuredClone.
  if (typeof value === 'function' || typeof value === 'symbol') return structuredClone(value);
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return (value as unknown as unknown[]).map(copyOf) as V;
  if (prototype !== Object.prototype) return structuredClone(value);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    // An own property of this name would be taken for the prototype.
    if (name === '__proto__') return structuredClone(value);
    copy[name] = copyOf((value as Record<string, unknown>)[name]);
  }
  return copy as V;
}
