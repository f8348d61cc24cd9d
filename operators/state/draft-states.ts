import { type ArraySource, newArrays, ValuesDraft } from '#engine';
import { copyOf } from './cell-kind.ts';
import type { OpenState } from './keyed-state.ts';
import { formOf, type StoredStates } from './stored-states.ts';

/**
 * The states of a key group in the making. What records have changed since the snapshot may stay here until the whole group is asked
 * for, hundreds of thousands of keys in all: so they lie in flat lists, which the garbage collector copies at once, and not in a list each.
 */
export class DraftStates {
  readonly #states = new Map<string, DraftState>();
  #reserve: ((values: ValuesDraft) => void) | null = null;

  /** Takes room for the values of so many keys. */
  reserve(keys: number, arrays: ArraySource): void {
    this.#reserve = (values) => values.reserve(keys, arrays);
    for (const { values } of this.#states.values()) this.#reserve(values);
  }

  /**
   * @param key the cell's key by its index in the group
   * @param stored what is stored of the cell, or the cell itself where that is stored as it is
   */
  add(name: string, { declaration, kind }: OpenState, key: number, stored: unknown): void {
    let state = this.#states.get(name);
    if (state === undefined) {
      const values = new ValuesDraft(kind.isStoredAsIs === true ? copyOf : (it) => it);
      this.#reserve?.(values);
      state = { declaration, keys: [], values };
      this.#states.set(name, state);
    }
    state.keys.push(key);
    state.values.add(stored);
  }

  stored(arrays: ArraySource = newArrays): StoredStates {
    const states: StoredStates = {};
    for (const [name, { declaration, keys, values }] of this.#states) {
      const numbers = arrays.int32(keys.length);
      numbers.set(keys);
      states[name] = { ...formOf(declaration), keys: numbers, values: values.stored(arrays) };
    }
    return states;
  }
}

interface DraftState {
  readonly declaration: OpenState['declaration'];
  readonly keys: number[];
  readonly values: ValuesDraft;
}
