import type { ArraySource } from '#engine';
import {
  addToCells,
  type CellObject,
  type CellObjectState,
  type CellPlan,
  type CellView,
  initialCells,
  initialObjects,
  mergeCells,
  mergeObjects,
  objectFrom,
} from './cells.ts';
import type { Scalar } from './aggregates.ts';
import { type ReadResults, resultReader } from './cell-results.ts';
import { plainCopy } from './plain-copy.ts';

export const PAGE_BITS = 10;
export const PAGE_ROWS = 1 << PAGE_BITS;

const NO_OBJECTS: readonly CellObject[] = [];

/** Some rows as stored; each list holds one entry per row. Cells and objects go by name, so that a job may add or drop aggregates. */
export interface StoredRows {
  readonly cells: Readonly<Record<string, Float64Array>>;
  readonly objects: Readonly<Record<string, readonly CellObjectState[]>>;
  /** Of a user's aggregate; null where the aggregates are built in. */
  readonly accumulators: readonly unknown[] | null;
}

/** What numbers do not say of a row, copied. */
export interface KeptObjects {
  readonly objects: readonly CellObjectState[];
  readonly accumulator: unknown;
}

/** Rows that were copied before they changed. */
interface KeptRows {
  readonly cell: (row: number, cell: number) => number;
  readonly objectsOf: (row: number) => KeptObjects;
}

/**
 * Pooled rows of cells, for windows that come and go one by one: a row's number is its window's, from 1 on. In pages of Float64,
 * with the objects of cells that numbers do not do. With a user's aggregate a row is its accumulator instead.
 *
 * CR1 a row that was closed is given out again, empty: the pages hold as many rows as were ever open at once.
 */
export class CellRows {
  /** First cell of a row is `pages[row >>> PAGE_BITS][(row & (PAGE_ROWS - 1)) * stride]`. */
  readonly pages: Float64Array[] = [];
  readonly objects: (CellObject[] | undefined)[] = [];
  readonly accumulators: unknown[] = [];
  readonly #plan: CellPlan;
  readonly #folds: boolean;
  readonly #readResults: ReadResults;
  readonly #free: number[] = [];
  #next = 1;

  /** @param folds rows are accumulators of a user's aggregate, and `plan` is empty */
  constructor(plan: CellPlan, folds: boolean, interpreted: boolean) {
    this.#plan = plan;
    this.#folds = folds;
    this.#readResults = resultReader(plan, interpreted);
  }

  /** A row that has seen nothing. */
  open(): number {
    const row = this.#free.pop() ?? this.#next++;
    const stride = this.#plan.cells.length;
    const page = (this.pages[row >>> PAGE_BITS] ??= new Float64Array(PAGE_ROWS * stride));
    initialCells(this.#plan, page, this.#at(row));
    if (this.#plan.objects.length > 0) this.objects[row] = initialObjects(this.#plan);
    return row;
  }

  close(row: number): void {
    if (this.#plan.objects.length > 0) this.objects[row] = undefined;
    if (this.#folds) this.accumulators[row] = undefined;
    this.#free.push(row);
  }

  /** A record, with its input values; what generated text does without a call (update-text.ts). */
  add(row: number, values: readonly unknown[], time: number): void {
    addToCells(this.#plan, this.#viewOf(row), values, time);
  }

  /** Adds what the row `from` has seen to the row `into`. */
  merge(into: number, from: number): void {
    if (this.#folds) return;
    const a = this.#viewOf(into);
    const b = this.#viewOf(from);
    mergeCells(this.#plan, a.page, a.at, b.page, b.at);
    mergeObjects(a.objects, b.objects);
  }

  result(row: number): Record<string, Scalar | null> {
    return this.#readResults(this.#viewOf(row));
  }

  /** Numbers per row. */
  get stride(): number {
    return this.#plan.cells.length;
  }

  /** Whether a row is more than numbers. */
  get hasObjects(): boolean {
    return this.#folds || this.#plan.objects.length > 0;
  }

  copyCells(row: number, target: Float64Array, start: number): void {
    const page = this.pages[row >>> PAGE_BITS] as Float64Array;
    const at = this.#at(row);
    for (let c = 0; c < this.#plan.cells.length; c++) target[start + c] = page[at + c] as number;
  }

  copyObjects(row: number): KeptObjects {
    return {
      objects: this.objects[row]?.map((object) => object.state()) ?? [],
      accumulator: this.#folds ? plainCopy(this.accumulators[row]) : null,
    };
  }

  /** Rows as plain data, as they are now; a number below 0 is minus that of a kept one. */
  store(rows: readonly number[], kept: KeptRows, arrays: ArraySource): StoredRows {
    const { cells, objects } = this.#plan;
    const copied = this.hasObjects
      ? rows.map((row) => (row < 0 ? kept.objectsOf(-row) : this.copyObjects(row)))
      : [];
    return {
      cells: Object.fromEntries(
        this.#folds ? [] : cells.map(({ name }, c) => [name, this.#column(rows, kept, c, arrays)]),
      ),
      objects: Object.fromEntries(
        this.#folds
          ? []
          : objects.map(({ name }, o) => [name, copied.map((it) => it.objects[o] as CellObjectState)]),
      ),
      accumulators: this.#folds ? copied.map(({ accumulator }) => accumulator) : null,
    };
  }

  #column(rows: readonly number[], kept: KeptRows, cell: number, arrays: ArraySource): Float64Array {
    const values = arrays.float64(rows.length);
    for (let i = 0; i < values.length; i++) {
      const row = rows[i] as number;
      values[i] =
        row < 0
          ? kept.cell(-row, cell)
          : ((this.pages[row >>> PAGE_BITS] as Float64Array)[this.#at(row) + cell] as number);
    }
    return values;
  }

  /** Fills a new row with the `i`-th stored. An aggregate that the stored one does not know has seen nothing of what it holds. */
  load(row: number, stored: StoredRows, i: number): void {
    if (this.#folds) {
      this.accumulators[row] = stored.accumulators?.[i];
      return;
    }
    const { cells, steps, objects } = this.#plan;
    const { page, at } = this.#viewOf(row);
    for (const [c, { name }] of cells.entries()) {
      const value = stored.cells[name]?.[i];
      if (value !== undefined) page[at + c] = value;
    }
    for (const { kind, at: cell } of steps)
      if (kind === 'nulls' && stored.cells[(cells[cell] as { name: string }).name] === undefined)
        page[at + cell] = page[at] as number;
    if (objects.length > 0)
      this.objects[row] = objects.map(({ kind, name }) => objectFrom(kind, stored.objects[name]?.[i]));
  }

  #viewOf(row: number): CellView {
    const page = this.pages[row >>> PAGE_BITS] as Float64Array;
    return { page, at: this.#at(row), objects: this.objects[row] ?? NO_OBJECTS };
  }

  #at(row: number): number {
    return (row & (PAGE_ROWS - 1)) * this.#plan.cells.length;
  }
}

/** Stored rows behind one another. @param count of all parts, of which there is at least one */
export function joinRows(parts: readonly StoredRows[], count: number, arrays: ArraySource): StoredRows {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first as StoredRows;
  const cells = Object.keys(first.cells).map((name) => {
    const column = arrays.float64(count);
    let at = 0;
    for (const part of parts) {
      const values = part.cells[name] as Float64Array;
      column.set(values, at);
      at += values.length;
    }
    return [name, column] as const;
  });
  const objects = Object.keys(first.objects).map(
    (name) => [name, parts.flatMap((part) => part.objects[name] as readonly CellObjectState[])] as const,
  );
  return {
    cells: Object.fromEntries(cells),
    objects: Object.fromEntries(objects),
    accumulators: first.accumulators === null ? null : parts.flatMap((part) => part.accumulators ?? []),
  };
}
