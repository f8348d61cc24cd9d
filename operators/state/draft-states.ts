import { emptyState, type StoredStates } from './keyed-state.ts';
import type { StateDeclaration } from './state-kinds.ts';

/**
 * The states of a key group in the making. What records have changed since the snapshot may stay here until the whole group is asked
 * for, hundreds of thousands of keys in all: so they are flat lists, which the garbage collector copies at once, and not a list each.
 */
export class DraftStates {
  readonly #states = new Map<string, DraftState>();

  /** @param key the cell's key by its index in the group */
  add(name: string, declaration: StateDeclaration<unknown, unknown>, key: number, stored: unknown): void {
    let state = this.#states.get(name);
    if (state === undefined) {
      state = { declaration, cells: [] };
      this.#states.set(name, state);
    }
    state.cells.push(key, stored);
  }

  stored(): StoredStates {
    const states: StoredStates = {};
    for (const [name, { declaration, cells }] of this.#states)
      states[name] = { ...emptyState(declaration), cells: pairsOf<number, unknown>(cells) };
    return states;
  }
}

interface DraftState {
  readonly declaration: StateDeclaration<unknown, unknown>;
  /** Key and cell by turns. */
  readonly cells: unknown[];
}

/** Of a flat list, two by two. */
export function pairsOf<First, Second>(flat: readonly unknown[]): [First, Second][] {
  const pairs = new Array<[First, Second]>(flat.length / 2);
  for (let i = 0; i < pairs.length; i++) pairs[i] = [flat[2 * i] as First, flat[2 * i + 1] as Second];
  return pairs;
}
