import type { CellRows, KeptObjects } from './cell-rows.ts';
import { NO_SESSION, type SessionSet } from './session-set.ts';

const SLOT_BITS = 10;
const SLOTS = 1 << SLOT_BITS;
const ROW_BITS = 10;
const ROWS = 1 << ROW_BITS;
/** Memory kept between two snapshots. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** A slot that was not touched since the snapshot, and one that had no session then. */
const [AS_IT_WAS, NONE] = [0, -1];

/**
 * What a snapshot that is still being written needs of sessions that have changed since: all of a key are kept, as they were, when the
 * first of them is about to change. As numbers in pages that serve one snapshot after another: while a million keys are stored,
 * records touch hundreds of thousands of them, and objects that live so long are copied by the garbage collector again and again.
 *
 * A row is one session; a slot's rows lie next to each other, latest session first.
 *
 * ```text
 * row  follows: 1 when the next row is the same slot's | start | end | cells …
 * ```
 */
export class SessionJournal {
  readonly #sessions: SessionSet;
  readonly #rows: CellRows;
  readonly #stride: number;
  /** By slot: {@link AS_IT_WAS}, {@link NONE}, or its first row. */
  #slots: (Int32Array | undefined)[] = [];
  readonly #pages: Float64Array[] = [];
  /** By row, where there is more than numbers. */
  #objects: KeptObjects[] = [];
  /** From 1 on. */
  #next = 1;

  constructor(sessions: SessionSet, rows: CellRows) {
    this.#sessions = sessions;
    this.#rows = rows;
    this.#stride = FIRST_CELL + rows.stride;
  }

  /** Forgets all that was kept. */
  clear(): void {
    this.#slots = [];
    this.#objects = [];
    this.#next = 1;
    const pagesMax = Math.floor(KEPT_BYTES_MAX / (ROWS * this.#stride * 8));
    if (this.#pages.length > pagesMax) this.#pages.length = pagesMax;
  }

  /** Before anything under a slot changes. */
  before(slot: number): void {
    const number = slot >>> SLOT_BITS;
    while (this.#slots.length <= number) this.#slots.push(undefined);
    const page = (this.#slots[number] ??= new Int32Array(SLOTS));
    const at = slot & (SLOTS - 1);
    if (page[at] === AS_IT_WAS) page[at] = this.#keep(slot);
  }

  /** True when the sessions of a slot must be read here. */
  has(slot: number): boolean {
    return this.#place(slot) !== AS_IT_WAS;
  }

  /** The first row of a slot that it has, or 0. */
  rowOf(slot: number): number {
    return Math.max(this.#place(slot), 0);
  }

  /** Another row of the same slot comes next. */
  follows(row: number): boolean {
    return this.#at(row, FOLLOWS) === 1;
  }

  start(row: number): number {
    return this.#at(row, START);
  }

  end(row: number): number {
    return this.#at(row, END);
  }

  cell(row: number, cell: number): number {
    return this.#at(row, FIRST_CELL + cell);
  }

  objectsOf(row: number): KeptObjects {
    return this.#objects[row] as KeptObjects;
  }

  #place(slot: number): number {
    return this.#slots[slot >>> SLOT_BITS]?.[slot & (SLOTS - 1)] ?? AS_IT_WAS;
  }

  #keep(slot: number): number {
    const sessions = this.#sessions;
    const first = this.#next;
    for (let id = sessions.latest(slot); id !== NO_SESSION; ) {
      const before = sessions.before(id);
      this.#add(id, before !== NO_SESSION);
      id = before;
    }
    return this.#next === first ? NONE : first;
  }

  #add(id: number, follows: boolean): void {
    const row = this.#next++;
    const page = (this.#pages[row >>> ROW_BITS] ??= new Float64Array(ROWS * this.#stride));
    const at = (row & (ROWS - 1)) * this.#stride;
    page[at + FOLLOWS] = follows ? 1 : 0;
    page[at + START] = this.#sessions.starts[id] as number;
    page[at + END] = this.#sessions.ends[id] as number;
    this.#rows.copyCells(id, page, at + FIRST_CELL);
    if (!this.#rows.hasObjects) return;
    while (this.#objects.length < row) this.#objects.push(NO_OBJECTS);
    this.#objects.push(this.#rows.copyObjects(id));
  }

  #at(row: number, field: number): number {
    const page = this.#pages[row >>> ROW_BITS] as Float64Array;
    return page[(row & (ROWS - 1)) * this.#stride + field] as number;
  }
}

const [FOLLOWS, START, END, FIRST_CELL] = [0, 1, 2, 3];
const NO_OBJECTS: KeptObjects = { objects: [], accumulator: null };
