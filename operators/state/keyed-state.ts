import {
  type FrozenCells,
  heapStateBackend,
  type KeySpace,
  MillraceError,
  type OpenStateBackend,
  type StateBackend,
  type StateCells,
  valueReader,
} from '#engine';
import type { CellKind, CurrentKey } from './cell-kind.ts';
import { listCells } from './list-cells.ts';
import { mapCells } from './map-cells.ts';
import { upgradeFrom } from './schema-version.ts';
import type { DraftStates } from './draft-states.ts';
import type { StateDeclaration, StateSpec } from './state-kinds.ts';
import { formOf, listedState, type StoredPairs, type StoredStates } from './stored-states.ts';
import { TimeToLive } from './time-to-live.ts';
import { valueCells } from './value-cells.ts';

/** The stored states of a key's group, and the key's index in it. */
interface Place {
  readonly states: StoredStates;
  readonly key: number;
}

/** Cells of all states as they were at one time. */
export interface FrozenStates {
  /** Adds those of one key group. @param place a key's index in the group */
  readonly store: (group: number, states: DraftStates, place: (key: Uint8Array) => number) => void;
  readonly release: () => void;
}

/** A state with its cells. */
export interface OpenState {
  readonly declaration: StateDeclaration<unknown, unknown>;
  readonly kind: CellKind<unknown>;
  readonly cells: StateCells<unknown>;
}

/**
 * The keyed state of one operator's subtask: handles for users, cells in a backend, and the stored form.
 *
 * KS1 handles work on the key in {@link slot}, at the processing time {@link now}; whoever calls user code sets both.
 * KS2 what is stored shares no memory with what is live, and holds nothing that has expired.
 * KS3 every stored state names its kind and version; a restore makes values of the declared version of them or refuses.
 */
export class KeyedState implements CurrentKey {
  slot = 0;
  now = 0;
  /** Comes of what was read, which would not be read if nothing came of it. */
  reached = 0;
  readonly handles: Readonly<Record<string, unknown>>;
  readonly #operator: string;
  readonly #backend: StateBackend;
  readonly #states = new Map<string, OpenState>();

  readonly touch: (slot: number) => void;

  /** @param touch called before what is kept of a key changes that is not the current one */
  constructor(
    spec: StateSpec,
    operator: string,
    backend: StateBackend,
    touch: (slot: number) => void = () => {},
  ) {
    this.#operator = operator;
    this.touch = touch;
    this.#backend = backend;
    const handles: Record<string, unknown> = {};
    for (const [name, declaration] of Object.entries(spec)) {
      const kind = cellKind(declaration, this);
      const cells = backend.cells(name, kind);
      this.#states.set(name, { declaration, kind, cells });
      handles[name] = kind.handle(cells);
    }
    this.handles = handles;
  }

  /**
   * Reads the cells of keys that records are about to come for, in loops that do nothing else: so the processor waits for the memory of
   * many at once, instead of key by key.
   */
  reach(slots: Int32Array, count: number): void {
    for (const { kind, cells } of this.#states.values())
      this.reached += reachCells(cells, slots, count, kind.reach);
  }

  /** Between batches, before slots are reclaimed. */
  settle(): void {
    this.#backend.settle?.();
  }

  /** Calls `visit` with the slot of every key that has state, once each, in no particular order. */
  forEachSlot(keys: KeySpace, visit: (slot: number) => void): void {
    const slots = new Set<number>();
    for (const { cells } of this.#states.values()) {
      cells.forEach((slot) => slots.add(slot));
      cells.forEachSpilled?.((key) => slots.add(keys.slotOfCanonical(key)));
    }
    for (const slot of slots) visit(slot);
  }

  /**
   * Writes every cell where its key belongs.
   * @param place the stored states of a slot's key group, and the key's index in it
   * @param placeSpilled the same for a key without a slot
   */
  store(place: (slot: number) => Place, placeSpilled: (key: Uint8Array, group: number) => Place): void {
    for (const [name, { declaration, kind, cells }] of this.#states) {
      const add = ({ states, key }: Place, stored: unknown) => write(states, key, name, declaration, stored);
      cells.forEach((slot, cell) => {
        const stored = kind.store(cell);
        if (stored !== undefined) add(place(slot), stored);
      });
      cells.forEachSpilled?.((key, group, stored) => add(placeSpilled(key, group), stored));
    }
  }

  /**
   * Adds the cells that are in memory under one slot to the states of its key's group; false when there are none.
   * @param key its index in the group
   */
  storeSlot(slot: number, states: DraftStates, key: number): boolean {
    let isStored = false;
    for (const [name, state] of this.#states) {
      const cell = state.cells.peek(slot);
      if (cell !== undefined && states.add(name, state, key, cell)) isStored = true;
    }
    return isStored;
  }

  /** The cells that are not in memory, as they are now, for later; null where all are. Good until the next snapshot. */
  freezeSpilled(): FrozenStates | null {
    const frozen: (readonly [string, OpenState, FrozenCells])[] = [];
    for (const [name, state] of this.#states) {
      const view = state.cells.freezeSpilled?.();
      if (view !== undefined) frozen.push([name, state, view]);
    }
    if (frozen.length === 0) return null;
    return {
      store(group, states, place) {
        for (const [name, state, view] of frozen)
          view.forEachOf(group, (key, stored) => states.addStored(name, state, place(key), stored));
      },
      release() {
        for (const [, , view] of frozen) view.release();
      },
    };
  }

  /**
   * Takes the stored states of one key group.
   * @param slots by index among the group's keys
   * @returns whether it would be stored in the same form again
   * @throws MR_STATE_INCOMPATIBLE
   */
  restore(states: StoredStates, slots: ArrayLike<number>): boolean {
    let isCurrent = true;
    for (const [name, stored] of Object.entries(states)) {
      const state = this.#states.get(name);
      if (state === undefined) throw this.#undeclared(name);
      const { kind, version, timed, keys, values } = listedState(stored);
      const upgrade = upgradeFrom({ kind, version }, state.declaration, name, this.#operator);
      const now = formOf(state.declaration);
      if (Array.isArray(stored) || 'cells' in stored || version !== now.version || timed !== now.timed)
        isCurrent = false;
      const valueOf = valueReader(values);
      for (let i = 0; i < keys.length; i++) {
        const cell = state.kind.load(valueOf(i), { timed, upgrade });
        if (cell !== undefined) state.cells.set(slots[keys[i] as number] as number, cell);
      }
    }
    return isCurrent;
  }

  async close(): Promise<void> {
    await this.#backend.close?.();
  }

  #undeclared(name: string): MillraceError {
    return new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Operator '${this.#operator}' has stored state '${name}', which it no longer declares. Declare it again, or give the operator a new id.`,
      { details: { operator: this.#operator, state: name } },
    );
  }
}

function reachCells<Cell>(
  cells: StateCells<Cell>,
  slots: Int32Array,
  count: number,
  reach: (cell: Cell) => number,
): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const slot = slots[i] as number;
    const cell = slot < 0 ? undefined : cells.peek(slot);
    if (cell !== undefined) sum += reach(cell);
  }
  return sum;
}

/** Keeps all state in memory. */
export const heapState: OpenStateBackend = (keys) => heapStateBackend(keys.slots);

function cellKind({ kind, options, fold }: StateDeclaration<unknown, unknown>, current: CurrentKey) {
  const ttl = TimeToLive.of(options, current);
  switch (kind) {
    case 'value':
    case 'reducing':
    case 'aggregating':
      return valueCells(current, ttl, fold);
    case 'list':
      return listCells(current, ttl) as CellKind<unknown>;
    case 'map':
      return mapCells(current, ttl) as CellKind<unknown>;
  }
}

function write(
  states: StoredStates,
  key: number,
  name: string,
  declaration: StateDeclaration<unknown, unknown>,
  stored: unknown,
): void {
  states[name] ??= { ...formOf(declaration), cells: [] };
  (states[name] as StoredPairs).cells.push([key, stored]);
}
