import { type ArraySource, newArrays } from '#engine';
import type { CellsDraft } from './cell-kind.ts';
import type { OpenState } from './keyed-state.ts';
import { formOf, type StoredStates } from './stored-states.ts';

/**
 * The states of a key group in the making. What records have changed since the snapshot may stay here until the whole group is asked
 * for, hundreds of thousands of keys in all: so they lie in flat lists, which the garbage collector copies at once, and not in a list each.
 */
export class DraftStates {
  readonly #states = new Map<string, DraftState>();
  #reserve: (cells: CellsDraft<unknown>) => void = () => {};

  /** Takes room for the cells of so many keys. */
  reserve(keys: number, arrays: ArraySource): void {
    this.#reserve = (cells) => cells.reserve(keys, arrays);
    for (const { cells } of this.#states.values()) this.#reserve(cells);
  }

  /** Adds a copy of a cell, if something of it is left. @param key the cell's key by its index in the group */
  add(name: string, state: OpenState, key: number, cell: unknown): boolean {
    const { keys, cells } = this.#open(name, state);
    const isLeft = cells.add(cell);
    if (isLeft) keys.push(key);
    return isLeft;
  }

  /** The same with what is stored of a cell. */
  addStored(name: string, state: OpenState, key: number, stored: unknown): void {
    const { keys, cells } = this.#open(name, state);
    keys.push(key);
    cells.addStored(stored);
  }

  stored(arrays: ArraySource = newArrays): StoredStates {
    const states: StoredStates = {};
    for (const [name, { declaration, keys, cells }] of this.#states) {
      if (keys.length === 0) continue;
      const numbers = arrays.int32(keys.length);
      numbers.set(keys);
      states[name] = { ...formOf(declaration), keys: numbers, values: cells.stored(arrays) };
    }
    return states;
  }

  #open(name: string, { declaration, kind }: OpenState): DraftState {
    let state = this.#states.get(name);
    if (state === undefined) {
      state = { declaration, keys: [], cells: kind.draft() };
      this.#reserve(state.cells);
      this.#states.set(name, state);
    }
    return state;
  }
}

interface DraftState {
  readonly declaration: OpenState['declaration'];
  readonly keys: number[];
  readonly cells: CellsDraft<unknown>;
}
