import { MAX_WATERMARK, MIN_WATERMARK, MillraceError } from '#engine';
import type { AggregateFunction } from './aggregate-function.ts';
import type { AggregateSpec } from './aggregates.ts';
import type { SlidingWindows, TumblingWindows } from './assigner.ts';
import {
  accumulated,
  type Elements,
  elements,
  foldOfFunction,
  lastElements,
  type WindowContents,
  type WindowFold,
} from './general-window-contents.ts';
import { never } from './general-window-trigger.ts';
import type { GlobalWindows } from './global-windows.ts';
import { foldOf } from './mergeable-fold.ts';
import type { SessionWindows } from './session-assigner.ts';
import { onEventTime, type Trigger } from './trigger.ts';
import type { WindowFunction } from './window-process.ts';

/** Which windows a record belongs to. */
export type WindowAssigner = TumblingWindows | SlidingWindows | SessionWindows<never> | GlobalWindows;

/** The same for records of type `T`. */
export type WindowsOf<T> = TumblingWindows | SlidingWindows | SessionWindows<T> | GlobalWindows;

/** What becomes of a window's records, each seen once. */
export type WindowAggregation =
  | { readonly kind: 'aggregate'; readonly aggregates: AggregateSpec<never> }
  | { readonly kind: 'fold'; readonly fold: AggregateFunction<never, unknown, unknown> };

/** What a window gives when it fires. A function over an aggregation gets one element, its value; without one it gets all records. */
export type GeneralWindowFunction =
  | WindowAggregation
  | {
      readonly kind: 'process';
      readonly function: WindowFunction<never, never, unknown, unknown>;
      readonly over: WindowAggregation | null;
    };

/** What a general window does, as data. */
export interface GeneralWindowSpec {
  readonly assigner: WindowAssigner;
  /** Null = the assigner's own: event time, of global windows what they carry. */
  readonly trigger: Trigger<never> | null;
  readonly allowedLatenessMs: number;
  readonly function: GeneralWindowFunction;
}

/** A spec made ready to run. */
export interface WindowPlan {
  /** Length and distance of windows with fixed bounds; a global window is none of them. */
  readonly fixed: { readonly sizeMs: number; readonly slideMs: number; readonly offsetMs: number } | null;
  /** Gap of sessions. */
  readonly gap: number | ((row: never) => number) | null;
  readonly trigger: Trigger<never>;
  readonly contents: WindowContents;
  /** Value of contents that are not empty; null where the function takes the elements themselves. */
  readonly valueOf: ((contents: unknown) => unknown) | null;
  readonly keepLast: number | null;
  readonly process: WindowFunction<unknown, unknown, unknown, unknown> | null;
  /** Names what stored windows must fit. */
  readonly form: WindowForm;
}

export interface WindowForm {
  readonly windows: string;
  readonly trigger: string;
  readonly contents: WindowContents['kind'];
}

/** The one window of a key. No record is outside: event times lie between the two. */
export const GLOBAL_START = MIN_WATERMARK;
export const GLOBAL_END = MAX_WATERMARK;

/** @throws MR_CONFIG_INVALID when the parts do not go together */
export function planWindows({ assigner, trigger, function: what }: GeneralWindowSpec): WindowPlan {
  const keepLast = assigner.kind === 'global' ? assigner.keepLast : null;
  const process = what.kind === 'process' ? what.function : null;
  const aggregation = what.kind === 'process' ? what.over : what;
  const fold = aggregation === null ? null : foldOfAggregation(aggregation);
  const contents = contentsOf(fold, keepLast);
  const chosen = trigger ?? (assigner.kind === 'global' ? assigner.trigger : onEventTime()) ?? never;
  if (assigner.kind === 'session') refuseUnmergeable(chosen, contents, process);
  const slide = assigner.kind === 'sliding' ? assigner.slideMs : null;
  return {
    fixed:
      assigner.kind === 'tumbling' || assigner.kind === 'sliding'
        ? { sizeMs: assigner.sizeMs, slideMs: slide ?? assigner.sizeMs, offsetMs: assigner.offsetMs }
        : null,
    gap: assigner.kind === 'session' ? assigner.gap : null,
    trigger: chosen,
    contents,
    valueOf: fold === null ? null : valueOf(fold, contents, keepLast),
    keepLast,
    process: process as WindowPlan['process'],
    form: { windows: describe(assigner), trigger: chosen.name, contents: contents.kind },
  };
}

function foldOfAggregation(aggregation: WindowAggregation): WindowFold {
  return aggregation.kind === 'aggregate'
    ? (foldOf(aggregation.aggregates) as unknown as WindowFold)
    : foldOfFunction(aggregation.fold as AggregateFunction<unknown, unknown, unknown>);
}

function contentsOf(fold: WindowFold | null, keepLast: number | null): WindowContents {
  if (fold === null) return elements(keepLast);
  if (keepLast === null) return accumulated(fold);
  const kept = elements(keepLast);
  return {
    ...kept,
    add(contents, row, time) {
      // A record that the aggregate refuses is refused now; kept, it would spoil every result that it is part of.
      fold.add(row, time, fold.createAccumulator());
      return kept.add(contents, row, time);
    },
  };
}

function valueOf(
  fold: WindowFold,
  contents: WindowContents,
  keepLast: number | null,
): (contents: unknown) => unknown {
  if (contents.kind === 'accumulator') return fold.getResult;
  return (kept) => {
    const { rows, times } = lastElements(kept as Elements, keepLast);
    const { add, createAccumulator, getResult } = fold;
    return getResult(rows.reduce((acc, row, i) => add(row, times[i] as number, acc), createAccumulator()));
  };
}

function refuseUnmergeable(
  trigger: Trigger<never>,
  contents: WindowContents,
  process: WindowFunction<never, never, unknown, unknown> | null,
): void {
  const refuse = (why: string) => new MillraceError('MR_CONFIG_INVALID', `Session windows merge, but ${why}`);
  if (trigger.onMerge === null)
    throw refuse(`trigger '${trigger.name}' has no onMerge. Give it one, or take another trigger.`);
  if (contents.merge === null)
    throw refuse('the aggregate function has no merge(a, b). Add it to the function.');
  if (process !== null && Object.keys(process.state).length > 0)
    throw refuse('the window function keeps state per window. Keep it per key (keyState) instead.');
}

function describe(assigner: WindowAssigner): string {
  switch (assigner.kind) {
    case 'tumbling':
      return `tumbling windows of ${assigner.sizeMs} ms with offset ${assigner.offsetMs} ms`;
    case 'sliding':
      return `sliding windows of ${assigner.sizeMs} ms every ${assigner.slideMs} ms with offset ${assigner.offsetMs} ms`;
    case 'session':
      return 'sessions';
    case 'global':
      return 'global windows';
  }
}
