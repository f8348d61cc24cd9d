import type { Transaction } from 'lmdb';
import { invariant } from '../base/errors.ts';
import { EntryNumbers } from './lmdb-entry-numbers.ts';
import type { EntryKeys } from './lmdb-entry-key.ts';
import type { HotSlots } from './lmdb-hot-slots.ts';
import type { LmdbScratch, ScratchEntry } from './lmdb-scratch.ts';
import type { CellFormat, FrozenCells, StateCells } from './state-backend.ts';

/** What is known of a slot's entry on disk, where it is not the entry's number. */
const UNKNOWN = 0;
const ABSENT = -1;

/** What the states of one subtask share. */
export interface LmdbShared {
  readonly hot: HotSlots;
  readonly scratch: LmdbScratch;
  readonly keys: EntryKeys;
  /** Something of a key group has expired and is gone. */
  readonly expired: (group: number) => void;
}

/**
 * The cells of one state: those of hot keys in memory under their slots, the others on disk under their keys.
 *
 * DC1 the disk is asked once per key that gets a slot, and not before the state is used.
 * DC2 memory is right where it knows of an entry; the entry may be out of date, and is then marked (EntryNumbers).
 * DC3 a cell that has not been set since it was loaded leaves memory without being written.
 */
export class LmdbCells<Cell> implements StateCells<Cell> {
  readonly #state: number;
  readonly #format: CellFormat<Cell>;
  readonly #shared: LmdbShared;
  readonly #numbers = new EntryNumbers();
  readonly #cells: (Cell | undefined)[] = [];
  /** By slot: UNKNOWN, ABSENT, or the number of its key's entry. */
  #entries = new Int32Array(1024);
  #dirty = new Uint8Array(1024);
  /** Slots whose cell went while there was an entry. */
  #cleared: number[] = [];
  #frozen: Transaction | null = null;
  /** Where {@link sweep} goes on. */
  #sweptTo: Uint8Array | undefined;

  constructor(state: number, format: CellFormat<Cell>, shared: LmdbShared) {
    this.#state = state;
    this.#format = format;
    this.#shared = shared;
  }

  get extent(): number {
    return this.#cells.length;
  }

  get(slot: number): Cell | undefined {
    const cell = this.#cells[slot];
    if (cell !== undefined) {
      this.#shared.hot.touched[slot] = 1;
      return cell;
    }
    return (this.#entries[slot] ?? UNKNOWN) === UNKNOWN ? this.#load(slot) : undefined;
  }

  peek(slot: number): Cell | undefined {
    return this.#cells[slot];
  }

  set(slot: number, cell: Cell): void {
    if (this.#cells[slot] === undefined) {
      this.#know(slot);
      this.#keep(slot, cell);
    } else this.#cells[slot] = cell;
    this.#shared.hot.touched[slot] = 1;
    this.#dirty[slot] = 1;
  }

  clear(slot: number): void {
    if (this.#know(slot) > 0) this.#cleared.push(slot);
    if (this.#cells[slot] === undefined) return;
    this.#cells[slot] = undefined;
    this.#dirty[slot] = 0;
    this.#shared.hot.leave(slot);
  }

  forEach(visit: (slot: number, cell: Cell) => void): void {
    for (let slot = 0; slot < this.#cells.length; slot++) {
      const cell = this.#cells[slot];
      if (cell !== undefined) visit(slot, cell);
    }
  }

  forEachSpilled(visit: (key: Uint8Array, group: number, stored: unknown) => void): void {
    for (const entry of this.#shared.scratch.entries(this.#state)) {
      const left = this.#numbers.isMarked(entry.number) ? undefined : this.#leftOf(entry);
      if (left !== undefined) visit(entry.canonical, entry.group, left);
    }
  }

  freezeSpilled(): FrozenCells {
    const { scratch } = this.#shared;
    this.#frozen?.done();
    const at = scratch.freeze();
    this.#frozen = at;
    const isMarked = this.#numbers.marked();
    return {
      forEachOf: (group, visit) => {
        invariant(this.#frozen === at, 'cells are read that were frozen before the last snapshot');
        for (const entry of scratch.entries(this.#state, { group, at })) {
          const left = isMarked(entry.number) ? undefined : this.#leftOf(entry);
          if (left !== undefined) visit(entry.canonical, left);
        }
      },
      release: () => {
        if (this.#frozen === at) this.close();
      },
    };
  }

  /** Lets go of what is frozen. */
  close(): void {
    this.#frozen?.done();
    this.#frozen = null;
  }

  /** True when there is something to {@link removeCleared}. */
  get hasCleared(): boolean {
    return this.#cleared.length > 0;
  }

  /** Removes entries whose cells are gone. Within a write. */
  removeCleared(): void {
    for (const slot of this.#cleared)
      if (this.#cells[slot] === undefined && (this.#entries[slot] as number) > 0) this.#remove(slot);
    this.#cleared = [];
  }

  /** The slot may be another key's from now on. It has no cell. */
  forget(slot: number): void {
    const entry = this.#entries[slot] ?? UNKNOWN;
    if (entry > 0) this.#numbers.unmark(entry);
    if (entry !== UNKNOWN) this.#entries[slot] = UNKNOWN;
  }

  /** Moves the slot's cell, if it has one, to disk. Within a write. True when that took one. */
  evict(slot: number): boolean {
    const cell = this.#cells[slot];
    const writes = cell !== undefined && this.#dirty[slot] === 1;
    if (writes) this.#store(slot, cell);
    if (cell !== undefined) {
      this.#cells[slot] = undefined;
      this.#dirty[slot] = 0;
    }
    this.forget(slot);
    return writes;
  }

  /** Looks at `count` entries in turn and removes those that have expired. Within a write. */
  sweep(count: number): void {
    if (this.#format.expires !== true || this.#numbers.size === 0) return;
    const expired: Pick<ScratchEntry, 'key' | 'number' | 'group'>[] = [];
    let left = count;
    for (const { key, number, group, stored } of this.#shared.scratch.entries(this.#state, {
      after: this.#sweptTo,
    })) {
      this.#sweptTo = key;
      if (!this.#numbers.isMarked(number) && this.#format.load(stored) === undefined)
        expired.push({ key, number, group });
      if (--left === 0) break;
    }
    if (left > 0) this.#sweptTo = undefined;
    for (const { key, number, group } of expired) {
      this.#shared.scratch.remove(Buffer.from(key));
      this.#numbers.give(number);
      this.#shared.expired(group);
    }
  }

  /** What is stored without what has expired of it. */
  #leftOf({ stored }: ScratchEntry): unknown {
    const { load, store, expires = false } = this.#format;
    if (!expires) return stored;
    const cell = load(stored);
    return cell === undefined ? undefined : store(cell);
  }

  #load(slot: number): Cell | undefined {
    if (this.#know(slot) === ABSENT) return undefined;
    const cell = this.#format.load(this.#shared.scratch.found());
    if (cell === undefined) this.#cleared.push(slot);
    else this.#keep(slot, cell);
    return cell;
  }

  #keep(slot: number, cell: Cell): void {
    const cells = this.#cells;
    // Filled without holes, as in heap-state-backend.ts.
    while (cells.length < slot) cells.push(undefined);
    cells[slot] = cell;
    this.#shared.hot.enter(slot);
  }

  /** The number of the slot's entry or ABSENT; asks the disk unless that is known. */
  #know(slot: number): number {
    if (slot >= this.#entries.length) this.#grow(slot);
    const known = this.#entries[slot] as number;
    if (known !== UNKNOWN) return known;
    const { hot, scratch, keys } = this.#shared;
    hot.note(slot);
    const number = scratch.find(keys.of(this.#state, slot));
    if (number > 0) this.#numbers.mark(number);
    const entry = number > 0 ? number : ABSENT;
    this.#entries[slot] = entry;
    return entry;
  }

  #store(slot: number, cell: Cell): void {
    const { scratch, keys } = this.#shared;
    const stored = this.#format.store(cell);
    const entry = this.#entries[slot] as number;
    if (stored === undefined) {
      if (entry > 0) this.#remove(slot);
      return;
    }
    const number = entry > 0 ? entry : this.#numbers.take();
    scratch.put(keys.of(this.#state, slot), keys.long, number, stored);
    this.#entries[slot] = number;
  }

  #remove(slot: number): void {
    const { scratch, keys } = this.#shared;
    scratch.remove(keys.of(this.#state, slot));
    this.#numbers.give(this.#entries[slot] as number);
    this.#entries[slot] = ABSENT;
  }

  #grow(slot: number): void {
    const capacity = Math.max(this.#entries.length * 2, slot + 1);
    const entries = new Int32Array(capacity);
    entries.set(this.#entries);
    this.#entries = entries;
    const dirty = new Uint8Array(capacity);
    dirty.set(this.#dirty);
    this.#dirty = dirty;
  }
}
