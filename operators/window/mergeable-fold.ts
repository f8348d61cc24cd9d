import type { Aggregate, Scalar } from './aggregates.ts';
import { resultReader } from './cell-results.ts';
import {
  addToCells,
  type CellObject,
  type CellObjectState,
  type CellPlan,
  type CellView,
  initialCells,
  initialObjects,
  inputValues,
  mergeCells,
  mergeObjects,
  objectFrom,
  planCells,
} from './cells.ts';

/** An aggregate whose accumulators can be merged: what windows that grow together or are made of parts need. */
export interface MergeableFold<in In, Acc, out Out> {
  readonly createAccumulator: () => Acc;
  /** Changes and returns the accumulator. */
  readonly add: (row: In, time: number, accumulator: Acc) => Acc;
  /** Changes and returns `a`: as if `b`'s records had come after `a`'s. `b` stays as it is. */
  readonly merge: (a: Acc, b: Acc) => Acc;
  readonly getResult: (accumulator: Acc) => Out;
  /** The accumulator as plain data, copied. */
  readonly state: (accumulator: Acc) => unknown;
  /** An accumulator from what `state` gave, perhaps in a job with other aggregates. */
  readonly from: (state: unknown) => Acc;
}

/** Cells and objects of one key and window, away from any pane. */
export interface CellAccumulator extends CellView {
  readonly objects: CellObject[];
}

/** As stored: cells and objects by name. */
export interface CellAccumulatorState {
  readonly cells: Readonly<Record<string, number>>;
  readonly objects: Readonly<Record<string, CellObjectState>>;
}

/** The built-in aggregates as one fold. It gives what the window operators give from their own cells. */
export function foldOf(spec: Readonly<Record<string, Aggregate<never, unknown>>>): CellFold {
  return foldOfPlan(planCells(spec));
}

type CellFold = MergeableFold<unknown, CellAccumulator, Readonly<Record<string, Scalar | null>>>;

/** The same of aggregates that are planned already. */
export function foldOfPlan(plan: CellPlan): CellFold {
  const createAccumulator = (): CellAccumulator => {
    const page = new Float64Array(plan.cells.length);
    initialCells(plan, page, 0);
    return { page, at: 0, objects: initialObjects(plan) };
  };
  return {
    createAccumulator,
    add(row, time, accumulator) {
      addToCells(plan, accumulator, inputValues(plan, row), time);
      return accumulator;
    },
    merge(a, b) {
      mergeCells(plan, a.page, a.at, b.page, b.at);
      mergeObjects(a.objects, b.objects);
      return a;
    },
    getResult: resultReader(plan, true),
    state: ({ page, at, objects }): CellAccumulatorState => ({
      cells: Object.fromEntries(plan.cells.map(({ name }, i) => [name, page[at + i] as number])),
      objects: Object.fromEntries(
        plan.objects.map(({ name }, i) => [name, (objects[i] as CellObject).state()]),
      ),
    }),
    from(state) {
      const { cells, objects } = state as CellAccumulatorState;
      const { page, at } = createAccumulator();
      // Of an input that the state does not know, nothing was seen: all its records count as null.
      const unknown = (name: string, initial: number) =>
        name.startsWith('nulls(') ? (cells['records'] as number) : initial;
      for (const [i, { name, initial }] of plan.cells.entries())
        page[at + i] = cells[name] ?? unknown(name, initial);
      return { page, at, objects: plan.objects.map(({ name, kind }) => objectFrom(kind, objects[name])) };
    },
  };
}
