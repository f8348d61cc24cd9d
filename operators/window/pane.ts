import type { SlotTable } from '#engine';
import type { AggregateFunction } from './aggregate-function.ts';
import {
  type CellObject,
  type CellPlan,
  type CellView,
  initialCells,
  initialObjects,
  mergeCells,
  mergeObjects,
} from './cells.ts';

const PAGE_BITS = 10;
export const PAGE_SLOTS = 1 << PAGE_BITS;
const NO_OBJECTS: readonly CellObject[] = [];

/**
 * What a stretch of time has seen (a window, or a part of several): per key slot a row of cells in pages of Float64, and the list
 * of slots it has touched. Pooled: a closed pane is cleaned slot by slot and used again. Holds every touched slot until then.
 */
export class Pane {
  start = Number.POSITIVE_INFINITY;
  end = Number.NEGATIVE_INFINITY;
  /** A window that it is part of has given its result; late records give another at once. */
  fired = false;
  readonly pages: (Float64Array | undefined)[] = [];
  touched: number[] = [];
  readonly objects: (CellObject[] | undefined)[] = [];
  readonly accumulators: unknown[] = [];
  readonly #plan: CellPlan;
  readonly #slots: SlotTable;
  readonly #fold: AggregateFunction<unknown, unknown, unknown> | null;

  constructor(plan: CellPlan, slots: SlotTable, fold: AggregateFunction<unknown, unknown, unknown> | null) {
    this.#plan = plan;
    this.#slots = slots;
    this.#fold = fold;
  }

  /** First cell of a slot is `pages[slot >>> 10][(slot & 1023) * stride]`. */
  addPage(page: number): Float64Array {
    const made = new Float64Array(PAGE_SLOTS * this.#plan.cells.length);
    this.pages[page] = made;
    return made;
  }

  /** A slot's first record in this window. */
  touch(slot: number, page: Float64Array, at: number): void {
    initialCells(this.#plan, page, at);
    if (this.#plan.objects.length > 0) this.objects[slot] = initialObjects(this.#plan);
    this.touched.push(slot);
    this.#slots.hold(slot);
  }

  /** Page and first cell of a slot, made when missing; for the paths that are not generated. */
  cellsOf(slot: number): { readonly page: Float64Array; readonly at: number } {
    const page = this.pages[slot >>> PAGE_BITS] ?? this.addPage(slot >>> PAGE_BITS);
    const at = (slot & (PAGE_SLOTS - 1)) * this.#plan.cells.length;
    if (page[at] === 0) this.touch(slot, page, at);
    return { page, at };
  }

  /** The same with the slot's objects. */
  viewOf(slot: number): CellView {
    return { ...this.cellsOf(slot), objects: this.objects[slot] ?? NO_OBJECTS };
  }

  has(slot: number): boolean {
    const page = this.pages[slot >>> PAGE_BITS];
    return page !== undefined && page[(slot & (PAGE_SLOTS - 1)) * this.#plan.cells.length] !== 0;
  }

  /** Adds what `from` has seen of a slot that it has touched; `from` stays as it is. */
  merge(from: Pane, slot: number): void {
    const at = (slot & (PAGE_SLOTS - 1)) * this.#plan.cells.length;
    const page = this.pages[slot >>> PAGE_BITS] ?? this.addPage(slot >>> PAGE_BITS);
    if (page[at] === 0) this.touch(slot, page, at);
    mergeCells(this.#plan, page, at, from.pages[slot >>> PAGE_BITS] as Float64Array, at);
    if (this.#plan.objects.length > 0)
      mergeObjects(this.objects[slot] as CellObject[], from.objects[slot] as CellObject[]);
    if (this.#fold !== null) this.#mergeAccumulator(this.#fold, from, slot);
  }

  /** Adds all that `from` has seen. */
  mergeAll(from: Pane): void {
    for (const slot of from.touched) this.merge(from, slot);
  }

  /** What the slot's results are made of. @throws what the user's `merge` threw */
  accumulator(slot: number): unknown {
    const accumulator = this.accumulators[slot];
    if (accumulator instanceof FailedMerge) throw accumulator.reason;
    return accumulator;
  }

  /** Empties the pane for its next window and lets its slots go. */
  clear(): void {
    const stride = this.#plan.cells.length;
    for (const slot of this.touched) {
      const page = this.pages[slot >>> PAGE_BITS] as Float64Array;
      page[(slot & (PAGE_SLOTS - 1)) * stride] = 0;
      this.objects[slot] = undefined;
      this.accumulators[slot] = undefined;
      this.#slots.drop(slot);
    }
    this.touched = [];
    this.fired = false;
    this.start = Number.POSITIVE_INFINITY;
    this.end = Number.NEGATIVE_INFINITY;
  }

  /** A merge that throws is an error of the result: it shows when that is asked for. */
  #mergeAccumulator(fold: AggregateFunction<unknown, unknown, unknown>, from: Pane, slot: number): void {
    const known = this.accumulators[slot];
    if (known instanceof FailedMerge) return;
    try {
      const into = known === undefined ? fold.createAccumulator() : known;
      this.accumulators[slot] = fold.merge?.(into, from.accumulator(slot));
    } catch (error) {
      this.accumulators[slot] = new FailedMerge(error);
    }
  }
}

class FailedMerge {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}
