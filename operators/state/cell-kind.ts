import { type CellFormat, type StateCells } from '#engine';

/** Whose turn it is, and when: what the handles of an operator share. */
export interface CurrentKey {
  slot: number;
  /** Processing time of the batch or timer, epoch ms. */
  now: number;
}

/** How stored data is to be read. */
export interface StoredForm {
  /** Whether values are stored with their times. */
  readonly timed: boolean;
  readonly upgrade: (value: unknown) => unknown;
}

/** One kind of state, opened for one declaration: how its cells look, are stored, and are worked with. */
export interface CellKind<Cell> extends CellFormat<Cell> {
  /** @param form of what is stored; without it the declared one */
  readonly load: (stored: unknown, form?: StoredForm) => Cell | undefined;
  /** The handle that users work with. */
  readonly handle: (cells: StateCells<Cell>) => unknown;
}

/** A copy that shares no memory. */
export function copyOf<V>(value: V): V {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value;
}
