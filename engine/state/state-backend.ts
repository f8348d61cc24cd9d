import type { KeySpace } from './key-space.ts';

/** Turns the cells of one state into plain, msgpack-able data and back. */
export interface CellFormat<Cell> {
  /** A copy that shares no memory with the cell; undefined when nothing of it is left (all of it has expired). */
  readonly store: (cell: Cell) => unknown;
  /** Undefined when nothing of it is left. */
  readonly load: (stored: unknown) => Cell | undefined;
  /** Whether something of a cell may expire. Default false. */
  readonly expires?: boolean;
}

/**
 * The cells of one declared state, one per key that has one, found by the key's slot.
 *
 * SB1 a backend holds a slot as long as it keeps a cell under it, and drops it when the cell goes: a slot with a cell is not reused.
 * SB2 whoever changes a cell in place sets it again. A cell is never undefined.
 * SB3 `get` gives what was last set for the slot's key, also when the key has had another slot meanwhile.
 * SB4 {@link forEach} and {@link forEachSpilled} together give every cell exactly once.
 * SB5 between two batches a backend may move cells out of memory ({@link StateBackend.settle}); within a batch it hands out one and
 *     the same cell per slot until that is set or cleared.
 */
export interface StateCells<Cell> {
  /** The cell of the key that has this slot now. */
  readonly get: (slot: number) => Cell | undefined;
  /** The cell if it is in memory under this slot; the slot may be nobody's. For clean-up, which looks at slots in turn. */
  readonly peek: (slot: number) => Cell | undefined;
  readonly set: (slot: number, cell: Cell) => void;
  /** Does nothing when there is none. */
  readonly clear: (slot: number) => void;
  /** Slots from here on have no cell in memory. */
  readonly extent: number;
  /** Cells in memory, in no particular order. `visit` changes none. */
  readonly forEach: (visit: (slot: number, cell: Cell) => void) => void;
  /** Cells of keys that have no slot here now, as stored, with the canonical key and its key group. */
  readonly forEachSpilled?: (visit: (key: Uint8Array, group: number, stored: unknown) => void) => void;
  /**
   * The cells of {@link forEachSpilled} as they are now, to be read later. Good until their release, the next call, or the backend
   * closes. There where forEachSpilled is.
   */
  readonly freezeSpilled?: () => FrozenCells;
}

/** Cells out of memory as they were at one time, key group by key group, so that not all need be in memory at once. */
export interface FrozenCells {
  readonly forEachOf: (group: number, visit: (key: Uint8Array, stored: unknown) => void) => void;
  /** They are not needed any more. */
  readonly release: () => void;
}

/** Is told what a backend does of its own accord. */
export interface StateWatcher {
  /** Before the cells of a slot leave memory. */
  readonly leaves: (slot: number) => void;
  /** Something of a key group has expired and is gone from where cells are out of memory. */
  readonly expired: (group: number) => void;
}

/** Where the keyed state of one operator's subtask lives. */
export interface StateBackend {
  /** Opens the cells of one state; once per name, before the first record. */
  readonly cells: <Cell>(name: string, format: CellFormat<Cell>) => StateCells<Cell>;
  /** Called between batches, right before slots are reclaimed: the time to move cells out of memory (SB5). */
  readonly settle?: () => void;
  readonly close?: () => Promise<void>;
}

/** Opens a backend for one subtask of one operator. */
export type OpenStateBackend = (keys: KeySpace, watcher?: StateWatcher) => StateBackend;
