import { DictionaryBuilder } from '../wire/dictionary-builder.ts';
import type { PlanNode, RowPlan } from './row-plan.ts';
import { fitsDictionary } from './row-shape.ts';

/** Where the values of a batch of rows are gathered, column by column; kept between batches. */
export interface RowStores {
  /** By column number. */
  readonly columns: readonly ColumnStore[];
  /** By node. */
  readonly marks: readonly MarkStore[];
}

/** Place i holds zero (no value, code 0) where record i has none. */
export type ColumnStore = NumberColumn | BooleanColumn | StringColumn | ValueColumn;

export function rowStores(plan: RowPlan): RowStores {
  return {
    columns: plan.columns.map(columnStore),
    marks: Array.from({ length: plan.nodeCount }, () => new MarkStore()),
  };
}

/** Makes room for the rows of a batch and forgets what was there. */
export function resetStores({ columns, marks }: RowStores, count: number): void {
  for (const column of columns) column.reset(count);
  for (const mark of marks) mark.reset(count);
}

function columnStore({ kind }: PlanNode): ColumnStore {
  switch (kind) {
    case 'number':
      return new NumberColumn();
    case 'boolean':
      return new BooleanColumn();
    case 'string':
      return new StringColumn();
    default:
      return new ValueColumn();
  }
}

export class NumberColumn {
  readonly kind = 'number';
  values = new Float64Array(0);

  reset(count: number): void {
    if (this.values.length < count) this.values = new Float64Array(count);
  }
}

export class BooleanColumn {
  readonly kind = 'boolean';
  values = new Uint8Array(0);

  reset(count: number): void {
    if (this.values.length < count) this.values = new Uint8Array(count);
  }
}

export class StringColumn {
  readonly kind = 'string';
  values = new Uint16Array(0);
  readonly dictionary = new DictionaryBuilder();

  reset(count: number): void {
    if (this.values.length < count) this.values = new Uint16Array(count);
    // Entries of a batch that was given up.
    if (this.dictionary.byteCount > 0) this.dictionary.finish();
  }

  /** Code of a string in this batch, or −1 when it must travel otherwise. */
  codeOf(text: string): number {
    const { dictionary } = this;
    const entry = dictionary.entries.get(text);
    if (entry !== undefined) return dictionary.use(entry);
    return fitsDictionary(text) ? dictionary.add(text) : -1;
  }
}

export class ValueColumn {
  readonly kind = 'any';
  values: unknown[] = [];

  reset(_count: number): void {
    this.values = [];
  }
}

/** Which records have null, and which undefined, at one node. */
export class MarkStore {
  nulls = new Uint8Array(0);
  undefineds = new Uint8Array(0);
  hasNulls = false;
  hasUndefineds = false;

  reset(count: number): void {
    const bytes = (count + 7) >>> 3;
    if (this.nulls.length < bytes) {
      this.nulls = new Uint8Array(bytes);
      this.undefineds = new Uint8Array(bytes);
    } else {
      if (this.hasNulls) this.nulls.fill(0);
      if (this.hasUndefineds) this.undefineds.fill(0);
    }
    this.hasNulls = false;
    this.hasUndefineds = false;
  }

  /** Marks record `i`; false when it has a value, for which there is no mark. */
  absent(i: number, value: unknown): boolean {
    const byte = i >>> 3;
    const bit = 1 << (i & 7);
    if (value === null) {
      this.nulls[byte] = (this.nulls[byte] as number) | bit;
      this.hasNulls = true;
      return true;
    }
    if (value !== undefined) return false;
    this.undefineds[byte] = (this.undefineds[byte] as number) | bit;
    this.hasUndefineds = true;
    return true;
  }
}
