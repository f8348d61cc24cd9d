import type { DescribeGroup } from '#engine';
import { slidingStarts, type SlidingWindows } from '../window/assigner.ts';
import type { CellAccumulatorState } from '../window/mergeable-fold.ts';
import type { CellPlan } from '../window/cells.ts';
import { foldOfPlan } from '../window/mergeable-fold.ts';
import { objectStates, type WindowGroup } from '../window/window-snapshot.ts';
import type { WindowSpec } from '../window/window-spec.ts';
import { entriesByKey } from './entries-by-key.ts';

/** What gives a window's value: the plan of its aggregates, or the user's function. */
export type Aggregates = Pick<WindowSpec, 'plan' | 'fold'>;

/** One open window of a key, or a part of it. */
export interface WindowView {
  readonly start: number;
  readonly end: number;
  /** What it would give now; while the aggregates are known. */
  readonly value?: unknown;
  /** As stored: cells, sketches and other objects by name. */
  readonly cells?: CellAccumulatorState['cells'];
  readonly objects?: CellAccumulatorState['objects'];
  /** As stored: of a user's aggregate. */
  readonly accumulator?: unknown;
}

type StoredPane = WindowGroup['panes'][number];
type Pane = ReturnType<typeof withObjects>;

/**
 * Tumbling windows, and sliding ones with the panes that they are made of, each of which lies in several.
 * @param aggregates of the job; null when nobody knows
 */
export function describeWindows(aggregates: Aggregates | null): DescribeGroup {
  return (group) => {
    const { panes, sliding } = group as WindowGroup;
    const sorted = panes
      .toSorted((a, b) => a.start - b.start)
      .map((pane) => ({ pane: withObjects(pane), of: entriesByKey(pane.key) }));
    return (key) => {
      const parts = sorted.flatMap(({ pane, of }) =>
        of(key).map((place) => paneView(pane, place, aggregates)),
      );
      if (sliding === undefined) return { windows: parts };
      return { windows: slidingViews(parts, sliding, aggregates), panes: parts };
    };
  };
}

/** A row of cells or an accumulator, and what comes of it. */
export function contentsView(
  { cells, objects }: CellAccumulatorState,
  accumulator: { readonly of: unknown } | null,
  aggregates: Aggregates | null,
): Omit<WindowView, 'start' | 'end'> {
  if (accumulator !== null) {
    const fold = aggregates?.fold ?? null;
    const value = fold === null ? {} : { value: fold.getResult(structuredClone(accumulator.of)) };
    return { ...value, accumulator: accumulator.of };
  }
  const plan = planFor(cells, aggregates);
  const value = plan === null ? {} : { value: resultOf(plan, { cells, objects }) };
  return { ...value, cells, ...(Object.keys(objects).length === 0 ? {} : { objects }) };
}

/** Built-in aggregates, where state is theirs too. */
function planFor(cells: CellAccumulatorState['cells'], aggregates: Aggregates | null): CellPlan | null {
  return aggregates === null || aggregates.fold !== null || cells['records'] === undefined
    ? null
    : aggregates.plan;
}

function resultOf(plan: CellPlan, state: CellAccumulatorState): unknown {
  const fold = foldOfPlan(plan);
  return fold.getResult(fold.from(state));
}

function withObjects(pane: StoredPane) {
  const sketches = Object.entries(pane.sketches).map(([name, of]) => [name, [...objectStates(of)]] as const);
  return { ...pane, sketches: Object.fromEntries(sketches) };
}

function paneView(pane: Pane, place: number, aggregates: Aggregates | null): WindowView {
  const { start, end, accumulators } = pane;
  const at = (columns: Readonly<Record<string, ArrayLike<unknown>>>, name = (column: string) => column) =>
    Object.entries(columns).map(([column, values]) => [name(column), values[place]] as const);
  const cells = Object.fromEntries([...at(pane.cells), ...at(pane.nulls, (field) => `nulls(${field})`)]);
  const state = { cells, objects: Object.fromEntries(at(pane.sketches)) } as CellAccumulatorState;
  const accumulator = accumulators === null ? null : { of: accumulators[place] };
  return { start, end, ...contentsView(state, accumulator, aggregates) };
}

/** All windows around what a key has, also those that are closed and kept for late records. */
function slidingViews(
  panes: readonly WindowView[],
  windows: SlidingWindows,
  aggregates: Aggregates | null,
): readonly WindowView[] {
  const starts = new Set(panes.flatMap(({ start }) => slidingStarts(start, windows)));
  return [...starts]
    .sort((a, b) => a - b)
    .map((start) => {
      const end = start + windows.sizeMs;
      const inside = panes.filter((pane) => pane.start >= start && pane.end <= end);
      return { start, end, ...mergedValue(inside, aggregates) };
    });
}

function mergedValue(
  panes: readonly WindowView[],
  aggregates: Aggregates | null,
): { readonly value?: unknown } {
  if (aggregates === null || panes.some((pane) => pane.value === undefined)) return {};
  const { fold, plan } = aggregates;
  if (fold !== null) {
    const { merge } = fold;
    if (merge === undefined) return {};
    const merged = panes.map(({ accumulator }) => structuredClone(accumulator)).reduce((a, b) => merge(a, b));
    return { value: fold.getResult(merged) };
  }
  const cells = foldOfPlan(plan);
  const merged = panes
    .map((pane) => cells.from({ cells: pane.cells ?? {}, objects: pane.objects ?? {} }))
    .reduce((a, b) => cells.merge(a, b));
  return { value: cells.getResult(merged) };
}
