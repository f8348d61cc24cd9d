import { invariant } from '../base/errors.ts';
import type { KeySpace } from './key-space.ts';
import { LmdbCells, type LmdbShared } from './lmdb-cells.ts';
import { EntryKeys } from './lmdb-entry-key.ts';
import { HotSlots } from './lmdb-hot-slots.ts';
import type { LmdbScratch } from './lmdb-scratch.ts';
import type { CellFormat, StateBackend, StateCells, StateWatcher } from './state-backend.ts';

/** One in so many hot keys leaves at a time: few at once keep the pause short, many share the pages they are written to. */
const EVICTED_PART = 128;
/** Entries looked at per batch for what has expired, beside two for each one written: all are looked at before they double. */
const SWEPT_PER_BATCH = 16;
/** A state's number is one byte, and begins at 1. */
const STATES_MAX = 254;

/**
 * Keeps the cells of up to `hotKeysMax` keys in memory and all others on disk. Keys are moved out between batches only, so one
 * batch may exceed the bound by the keys it brings. A key with timers keeps its slot and its timers in memory; its cells go.
 *
 * LB1 everything that leaves memory at one time is one transaction.
 * LB2 the disk is opened by the first state: an operator without any has no files.
 */
export class LmdbStateBackend implements StateBackend {
  readonly #keys: KeySpace;
  readonly #hotKeysMax: number;
  readonly #open: () => LmdbScratch;
  readonly #watcher: StateWatcher | undefined;
  readonly #states: LmdbCells<unknown>[] = [];
  #shared: LmdbShared | null = null;

  constructor(keys: KeySpace, hotKeysMax: number, open: () => LmdbScratch, watcher?: StateWatcher) {
    this.#keys = keys;
    this.#hotKeysMax = hotKeysMax;
    this.#open = open;
    this.#watcher = watcher;
  }

  cells<Cell>(_: string, format: CellFormat<Cell>): StateCells<Cell> {
    invariant(this.#states.length < STATES_MAX, `an operator has more than ${STATES_MAX} states`);
    this.#shared ??= {
      hot: new HotSlots(this.#keys),
      scratch: this.#open(),
      keys: new EntryKeys(this.#keys),
      expired: (group) => this.#watcher?.expired(group),
    };
    const cells = new LmdbCells(this.#states.length + 1, format, this.#shared);
    this.#states.push(cells as unknown as LmdbCells<unknown>);
    return cells;
  }

  settle(): void {
    if (this.#shared === null) return;
    const { hot, scratch, keys } = this.#shared;
    if (hot.size > this.#hotKeysMax) scratch.write(() => this.#moveOut());
    else if (this.#states.some((state) => state.hasCleared)) scratch.write(() => this.#forget());
    else this.#forget();
    keys.forget();
  }

  async close(): Promise<void> {
    const shared = this.#shared;
    this.#shared = null;
    for (const state of this.#states) state.close();
    await shared?.scratch.close();
  }

  #forget(): void {
    for (const state of this.#states) state.removeCleared();
    this.#shared?.hot.forgetLoose((slot) => {
      for (const state of this.#states) state.forget(slot);
    });
  }

  #moveOut(): void {
    this.#forget();
    const most = this.#hotKeysMax - Math.floor(this.#hotKeysMax / EVICTED_PART);
    let written = 0;
    this.#shared?.hot.evict(most, (slot) => {
      this.#watcher?.leaves(slot);
      for (const state of this.#states) if (state.evict(slot)) written++;
    });
    for (const state of this.#states) state.sweep(SWEPT_PER_BATCH + 2 * written);
  }
}
