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
import { FrozenPane, PAGE_BITS, PAGE_SLOTS } from './frozen-pane.ts';
import { SparePages } from './spare-pages.ts';

const NO_OBJECTS: readonly CellObject[] = [];
/** Of so many slots are objects kept for later windows: new ones for each would be most of what an operator with sketches allocates. */
const SPARE_OBJECTS_MAX = 16_384;

/** What all panes of an operator have in common. */
export interface PaneShape {
  readonly plan: CellPlan;
  readonly fold: AggregateFunction<unknown, unknown, unknown> | null;
  readonly slots: SlotTable;
  /** Cells of a slot. */
  readonly stride: number;
  readonly spare: SparePages;
  /** Objects of slots that have closed, cleared. */
  readonly spareObjects: CellObject[][];
  /** A slot's cells when it has seen nothing. */
  readonly initial: Float64Array;
}

export function paneShape({ plan, fold }: Pick<PaneShape, 'plan' | 'fold'>, slots: SlotTable): PaneShape {
  const stride = plan.cells.length;
  const initial = new Float64Array(stride);
  initialCells(plan, initial, 0);
  const spare = new SparePages(stride * PAGE_SLOTS);
  return { plan, fold, slots, stride, spare, spareObjects: [], initial };
}

/**
 * What a stretch of time has seen (a window, or a part of several): per key slot a row of cells in pages of Float64, and the list
 * of slots it has touched. Pooled: a closed pane is cleaned slot by slot and used again. Holds every touched slot until then.
 *
 * PN1 a page in `pages` is the pane's own. Freezing moves all of them to the snapshot: {@link addPage} copies those that are written
 *     again, the others are read where they are, and come back when the snapshot is released.
 * PN2 objects and accumulators may change only after {@link FrozenPane.changing}, while there is a snapshot.
 */
export class Pane {
  start = Number.POSITIVE_INFINITY;
  end = Number.NEGATIVE_INFINITY;
  /** A window that it is part of has given its result; late records give another at once. */
  fired = false;
  readonly pages: (Float64Array | undefined)[] = [];
  touched: number[] = [];
  objects: (CellObject[] | undefined)[] = [];
  accumulators: unknown[] = [];
  /** What a snapshot that is being written sees of it. */
  frozen: FrozenPane | null = null;
  readonly #shape: PaneShape;
  readonly #plan: CellPlan;
  readonly #stride: number;

  constructor(shape: PaneShape) {
    this.#shape = shape;
    this.#plan = shape.plan;
    this.#stride = shape.stride;
  }

  /** A page to write to: a new one, or a copy of the one that a snapshot has (PN1). */
  addPage(page: number): Float64Array {
    const { spare } = this.#shape;
    const shared = this.frozen?.pages[page];
    const made = shared === undefined ? spare.zeroed() : spare.copyOf(shared);
    extend(this.pages, page);
    this.pages[page] = made;
    return made;
  }

  /** A slot's first record in this window. */
  touch(slot: number, page: Float64Array, at: number): void {
    const { initial } = this.#shape;
    for (let c = 0; c < initial.length; c++) page[at + c] = initial[c] as number;
    if (this.#plan.objects.length > 0) {
      extend(this.objects, slot);
      this.objects[slot] = this.#shape.spareObjects.pop() ?? initialObjects(this.#plan);
    }
    if (this.#shape.fold !== null) extend(this.accumulators, slot);
    this.touched.push(slot);
    this.#shape.slots.hold(slot);
  }

  /** Page and first cell of a slot to write to, made when missing; for the paths that are not generated. */
  cellsOf(slot: number): { readonly page: Float64Array; readonly at: number } {
    const page = this.pages[slot >>> PAGE_BITS] ?? this.addPage(slot >>> PAGE_BITS);
    const at = (slot & (PAGE_SLOTS - 1)) * this.#stride;
    if (page[at] === 0) this.touch(slot, page, at);
    return { page, at };
  }

  /** The same with the slot's objects. */
  viewOf(slot: number): CellView {
    const { page, at } = this.cellsOf(slot);
    this.frozen?.changing(slot);
    return { page, at, objects: this.objects[slot] ?? NO_OBJECTS };
  }

  /** What there is of a slot that it has touched, for reading. */
  peek(slot: number): CellView {
    const page = this.#readable(slot) as Float64Array;
    return { page, at: (slot & (PAGE_SLOTS - 1)) * this.#stride, objects: this.objects[slot] ?? NO_OBJECTS };
  }

  has(slot: number): boolean {
    const page = this.#readable(slot);
    return page !== undefined && page[(slot & (PAGE_SLOTS - 1)) * this.#stride] !== 0;
  }

  /** Adds what `from` has seen of a slot that it has touched; `from` stays as it is. */
  merge(from: Pane, slot: number): void {
    const at = (slot & (PAGE_SLOTS - 1)) * this.#stride;
    const page = this.pages[slot >>> PAGE_BITS] ?? this.addPage(slot >>> PAGE_BITS);
    if (page[at] === 0) this.touch(slot, page, at);
    mergeCells(this.#plan, page, at, from.#readable(slot) as Float64Array, at);
    if (this.#plan.objects.length > 0)
      mergeObjects(this.objects[slot] as CellObject[], from.objects[slot] as CellObject[]);
    const { fold } = this.#shape;
    if (fold !== null) this.#mergeAccumulator(fold, from, slot);
  }

  /** Adds all that `from` has seen. */
  mergeAll(from: Pane): void {
    for (const slot of from.touched) this.merge(from, slot);
  }

  /** What the slot's results are made of. User code may change it. @throws what the user's `merge` threw */
  accumulator(slot: number): unknown {
    this.frozen?.changing(slot);
    const accumulator = this.accumulators[slot];
    if (accumulator instanceof FailedMerge) throw accumulator.reason;
    return accumulator;
  }

  /** Shares all it holds with a snapshot. Costs one pointer per page. */
  freeze(): FrozenPane {
    this.frozen = new FrozenPane(this, this.#stride);
    this.pages.fill(undefined);
    return this.frozen;
  }

  /** The snapshot that `frozen` was made for has been written: what it alone has now is spare. */
  release(frozen: FrozenPane): void {
    const isShared = this.frozen === frozen;
    for (const [i, page] of frozen.pages.entries()) {
      if (page === undefined) continue;
      if (isShared && this.pages[i] === undefined) this.pages[i] = page;
      else this.#shape.spare.give(page);
    }
    if (isShared) this.frozen = null;
  }

  /** Empties the pane for its next window and lets its slots go. */
  clear(): void {
    const { slots } = this.#shape;
    for (const slot of this.empty()) slots.drop(slot);
  }

  /** Empties it, but for whoever calls to let go of the slots that it held. What a snapshot shares stays with that. */
  empty(): readonly number[] {
    const { touched } = this;
    for (const slot of touched) {
      const page = this.pages[slot >>> PAGE_BITS];
      if (page !== undefined) page[(slot & (PAGE_SLOTS - 1)) * this.#stride] = 0;
    }
    if (this.frozen !== null) {
      this.objects = [];
      this.accumulators = [];
      this.frozen = null;
    } else {
      if (this.#plan.objects.length > 0) for (const slot of touched) this.#spareObjectsOf(slot);
      if (this.#shape.fold !== null) for (const slot of touched) this.accumulators[slot] = undefined;
    }
    this.touched = [];
    this.fired = false;
    this.start = Number.POSITIVE_INFINITY;
    this.end = Number.NEGATIVE_INFINITY;
    return touched;
  }

  #readable(slot: number): Float64Array | undefined {
    const page = slot >>> PAGE_BITS;
    return this.pages[page] ?? this.frozen?.pages[page];
  }

  #spareObjectsOf(slot: number): void {
    const { spareObjects } = this.#shape;
    const objects = this.objects[slot] as CellObject[];
    this.objects[slot] = undefined;
    if (spareObjects.length >= SPARE_OBJECTS_MAX) return;
    for (const object of objects) object.clear();
    spareObjects.push(objects);
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

/** Stores far behind the end would make a dictionary of the list. */
function extend(list: unknown[], index: number): void {
  while (list.length <= index) list.push(undefined);
}
