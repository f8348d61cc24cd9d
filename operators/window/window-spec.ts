import type { AggregateFunction } from './aggregate-function.ts';
import type { SlidingWindows, TumblingWindows } from './assigner.ts';
import type { CellPlan } from './cells.ts';

/** What a keyed window does, as data. Exactly one of `plan`'s results and `fold` gives the value. */
export interface WindowSpec {
  readonly windows: TumblingWindows | SlidingWindows;
  readonly allowedLatenessMs: number;
  readonly plan: CellPlan;
  readonly fold: AggregateFunction<unknown, unknown, unknown> | null;
}

/** Name of the side output with the records whose window was closed for good. */
export const LATE = 'late';
