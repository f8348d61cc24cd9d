import { type CellFormat, type StateCells } from '#engine';

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

/** One kind of state, opened for one declaration: how its cells look, are stored, and are worked with. */
export interface CellKind<Cell> extends CellFormat<Cell> {
  /** Whether what is stored of a cell is a copy of it and no more. */
  readonly isStoredAsIs?: boolean;
  /** @param form of what is stored; without it the declared one */
  readonly load: (stored: unknown, form?: StoredForm) => Cell | undefined;
  /** The handle that users work with. */
  readonly handle: (cells: StateCells<Cell>) => unknown;
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
