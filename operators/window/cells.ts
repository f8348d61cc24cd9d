import type { Aggregate } from './aggregates.ts';
import type { QuantileSketch } from './quantile-sketch.ts';

/**
 * The numbers that a set of aggregates keeps per key and window. Aggregates over the same field share cells; cell 0 counts
 * records and doubles as "touched". Cells have stable names, so that a restored snapshot fits a job with more aggregates.
 */
export interface CellPlan {
  readonly cells: readonly Cell[];
  /** Fields (or functions) with a quantile sketch, each once. */
  readonly sketches: readonly CellInput[];
  /** Distinct inputs that any cell reads, each evaluated once per record. */
  readonly inputs: readonly CellInput[];
  readonly results: readonly CellResult[];
}

export interface Cell {
  readonly name: string;
  readonly kind: 'records' | 'sum' | 'min' | 'max';
  /** Index into inputs; −1 for records. */
  readonly input: number;
  readonly initial: number;
}

export interface CellInput {
  readonly name: string;
  readonly of: string | ((row: unknown) => number | null);
}

/** A key's cells in one window. */
export interface CellView {
  readonly page: Float64Array;
  /** First cell, the number of records. */
  readonly at: number;
  /** Records in which an input was null. */
  readonly nulls: (input: number) => number;
  readonly sketches: readonly QuantileSketch[] | undefined;
}

/** How one named result comes out of the cells. */
export interface CellResult {
  readonly name: string;
  readonly read: (cells: CellView) => number | null;
}

const INITIAL = { sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY } as const;

export function planCells(spec: Readonly<Record<string, Aggregate<never, unknown>>>): CellPlan {
  const cells: Cell[] = [{ name: 'records', kind: 'records', input: -1, initial: 0 }];
  const inputs: CellInput[] = [];
  const sketches: CellInput[] = [];
  const inputOf = (result: string, of: NonNullable<Aggregate<never, unknown>['of']>): number => {
    const known = inputs.findIndex((input) => input.of === of);
    if (known >= 0) return known;
    // A function has no name of its own: the result's name stands for it, and is what state is matched by.
    inputs.push({ name: typeof of === 'string' ? of : `=${result}`, of: of as CellInput['of'] });
    return inputs.length - 1;
  };
  const cellOf = (kind: 'sum' | 'min' | 'max', input: number): number => {
    const known = cells.findIndex((cell) => cell.kind === kind && cell.input === input);
    if (known >= 0) return known;
    const name = `${kind}(${(inputs[input] as CellInput).name})`;
    cells.push({ name, kind, input, initial: INITIAL[kind] });
    return cells.length - 1;
  };
  const results = Object.entries(spec).map(([name, { kind, of, q }]): CellResult => {
    if (kind === 'count' || of === null) return { name, read: ({ page, at }) => page[at] as number };
    const input = inputOf(name, of);
    if (kind === 'quantile') {
      const field = inputs[input] as CellInput;
      if (!sketches.includes(field)) sketches.push(field);
      const index = sketches.indexOf(field);
      return { name, read: ({ sketches: all }) => all?.[index]?.quantile(q as number) ?? null };
    }
    const cell = kind === 'avg' ? cellOf('sum', input) : cellOf(kind, input);
    const divide = kind === 'avg';
    return {
      name,
      read({ page, at, nulls }) {
        const seen = (page[at] as number) - nulls(input);
        if (seen === 0) return null;
        const value = page[at + cell] as number;
        return divide ? value / seen : value;
      },
    };
  });
  return { cells, inputs, sketches, results };
}
