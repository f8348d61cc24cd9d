import type { Aggregate, Scalar } from './aggregates.ts';
import type { CellResult } from './cell-results.ts';
import { HyperLogLog, type HyperLogLogState } from './hyperloglog.ts';
import { type KeptSketch, QuantileSketch, type QuantileSketchState } from './quantile-sketch.ts';
import { TimedValue, type TimedValueState } from './timed-value.ts';

/**
 * What a set of aggregates keeps per key and window: a row of numbers ("cells", Float64) and, where numbers do not do, a few
 * objects. Aggregates over the same field share them; cell 0 counts records and doubles as "touched". All have stable names, so
 * that a restored snapshot fits a job with other aggregates.
 *
 * CP1 every cell and object can be merged: what two rows of cells saw, one row says as if it had seen it all, the first row's
 *     records before the second's. Sketches stay within their declared error.
 */
export interface CellPlan {
  readonly cells: readonly Cell[];
  /** How a record changes the cells. */
  readonly steps: readonly CellStep[];
  readonly objects: readonly ObjectCell[];
  /** Distinct inputs that anything reads, each evaluated once per record. */
  readonly inputs: readonly CellInput[];
  readonly results: readonly CellResult[];
}

/** One number of a row. */
export interface Cell {
  readonly name: string;
  readonly initial: number;
}

/**
 * One or more cells from `at` on, and what a record does to them. `nulls` counts records in which the input was null;
 * `moments` are three cells: values seen, their mean, the sum of their squared deviations from it.
 */
export interface CellStep {
  readonly kind: 'nulls' | 'sum' | 'min' | 'max' | 'countIf' | 'moments';
  /** Index into inputs. */
  readonly input: number;
  readonly at: number;
}

export interface ObjectCell {
  readonly name: string;
  readonly kind: 'quantile' | 'distinct' | 'first' | 'last';
  /** Index into inputs. */
  readonly input: number;
}

export interface CellInput {
  readonly name: string;
  readonly of: string | ((row: unknown) => unknown);
}

export type CellObject = QuantileSketch | HyperLogLog | TimedValue;
/** A CellObject as plain data. */
export type CellObjectState = QuantileSketchState | HyperLogLogState | TimedValueState | null;

/** The same while a snapshot is being written: of a sketch without a copy. */
export type KeptObject = KeptSketch | Exclude<CellObjectState, QuantileSketchState>;

/** A key's cells in one window. */
export interface CellView {
  readonly page: Float64Array;
  /** First cell, the number of records. */
  readonly at: number;
  /** In the order of the plan's. */
  readonly objects: readonly CellObject[];
}

interface Draft {
  readonly cells: Cell[];
  readonly steps: CellStep[];
  readonly objects: ObjectCell[];
  readonly inputs: CellInput[];
}

type Spec = Readonly<Record<string, Aggregate<never, unknown>>>;

export function planCells(spec: Spec): CellPlan {
  const draft: Draft = { cells: [{ name: 'records', initial: 0 }], steps: [], objects: [], inputs: [] };
  const results = Object.entries(spec).map(([name, aggregate]) => resultOf(draft, name, aggregate));
  return { ...draft, results };
}

/** Makes a row of cells that has seen nothing. */
export function initialCells({ cells }: CellPlan, page: Float64Array, at: number): void {
  for (let i = 0; i < cells.length; i++) page[at + i] = (cells[i] as Cell).initial;
}

/** New objects of one row. */
export function initialObjects({ objects }: CellPlan): CellObject[] {
  return objects.map(({ kind }) => makeObject(kind));
}

/** The plan's inputs of one record, null where the row has none. */
export function inputValues({ inputs }: CellPlan, row: unknown): unknown[] {
  return inputs.map(
    ({ of }) => (typeof of === 'string' ? (row as Readonly<Record<string, unknown>>)[of] : of(row)) ?? null,
  );
}

/** One record, with its input values, on an initialised row; what generated text does without a call (update-text.ts). */
export function addToCells(plan: CellPlan, to: CellView, values: readonly unknown[], time: number): void {
  const { page, at } = to;
  page[at] = (page[at] as number) + 1;
  for (const step of plan.steps) {
    const value = values[step.input];
    if (step.kind === 'nulls') {
      if (value === null) page[at + step.at] = (page[at + step.at] as number) + 1;
    } else if (value !== null) addToStep(step.kind, page, at + step.at, value);
  }
  for (let i = 0; i < plan.objects.length; i++) {
    const value = values[(plan.objects[i] as ObjectCell).input];
    if (value !== null) (to.objects[i] as TimedValue).add(value as Scalar, time);
  }
}

/** Adds what the row `from` has seen to the row `into`, both initialised; `from` stays as it is (CP1). */
export function mergeCells(
  plan: CellPlan,
  into: Float64Array,
  at: number,
  from: Float64Array,
  fromAt: number,
): void {
  into[at] = (into[at] as number) + (from[fromAt] as number);
  const { steps } = plan;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as CellStep;
    const a = at + step.at;
    const value = from[fromAt + step.at] as number;
    switch (step.kind) {
      case 'nulls':
      case 'countIf':
      case 'sum':
        into[a] = (into[a] as number) + value;
        break;
      case 'min':
        if (value < (into[a] as number) || value !== value) into[a] = value;
        break;
      case 'max':
        if (value > (into[a] as number) || value !== value) into[a] = value;
        break;
      case 'moments':
        mergeMoments(into, a, from, fromAt + step.at);
        break;
    }
  }
}

/** The same for the rows' objects: `into` changes, `from` does not. */
export function mergeObjects(into: readonly CellObject[], from: readonly CellObject[]): void {
  // The plan says which kind stands where; it is the same on both sides.
  for (let i = 0; i < into.length; i++) (into[i] as TimedValue).merge(from[i] as TimedValue);
}

export function keptObject(object: CellObject): KeptObject {
  return object instanceof QuantileSketch ? object.kept() : object.state();
}

/** @param state what `state()` of an object of this kind gave; undefined when the snapshot does not know it */
export function objectFrom(kind: ObjectCell['kind'], state: CellObjectState | undefined): CellObject {
  if (state === undefined || state === null) return makeObject(kind);
  switch (kind) {
    case 'quantile':
      return QuantileSketch.from(state as QuantileSketchState);
    case 'distinct':
      return HyperLogLog.from(state as HyperLogLogState);
    case 'first':
    case 'last':
      return new TimedValue(kind, state as TimedValueState);
  }
}

function makeObject(kind: ObjectCell['kind']): CellObject {
  switch (kind) {
    case 'quantile':
      return new QuantileSketch();
    case 'distinct':
      return new HyperLogLog();
    case 'first':
    case 'last':
      return new TimedValue(kind);
  }
}

/** Adds what `aggregate` needs to the plan; returns how its result is read. */
function resultOf(draft: Draft, name: string, { kind, of, q }: Spec[string]): CellResult {
  if (kind === 'count' || of === null) return { name, kind: 'count', at: 0, nulls: 0, q: null };
  const input = inputOf(draft, name, of);
  const found = { name, kind, nulls: 0, q };
  switch (kind) {
    case 'countIf':
      return { ...found, at: stepOf(draft, kind, input) };
    case 'variance':
    case 'stddev':
      return { ...found, at: stepOf(draft, 'moments', input) };
    case 'sum':
    case 'min':
    case 'max':
    case 'avg': {
      const at = stepOf(draft, kind === 'avg' ? 'sum' : kind, input);
      return { ...found, at, nulls: stepOf(draft, 'nulls', input) };
    }
    case 'quantile':
    case 'distinct':
    case 'first':
    case 'last':
      return { ...found, at: objectOf(draft, kind, input) };
  }
}

function inputOf({ inputs }: Draft, result: string, of: string | ((row: never) => unknown)): number {
  const known = inputs.findIndex((input) => input.of === of);
  if (known >= 0) return known;
  // A function has no name of its own: the result's name stands for it, and is what state is matched by.
  inputs.push({ name: typeof of === 'string' ? of : `=${result}`, of: of as CellInput['of'] });
  return inputs.length - 1;
}

/** Index of a step's first cell. */
function stepOf({ cells, steps, inputs }: Draft, kind: CellStep['kind'], input: number): number {
  const known = steps.find((step) => step.kind === kind && step.input === input);
  if (known !== undefined) return known.at;
  const at = cells.length;
  steps.push({ kind, input, at });
  const { name } = inputs[input] as CellInput;
  if (kind === 'moments') {
    for (const part of ['values', 'mean', 'm2']) cells.push({ name: `${part}(${name})`, initial: 0 });
  } else cells.push({ name: `${kind}(${name})`, initial: INITIAL[kind] });
  return at;
}

const INITIAL = {
  nulls: 0,
  sum: 0,
  countIf: 0,
  min: Number.POSITIVE_INFINITY,
  max: Number.NEGATIVE_INFINITY,
} as const;

function objectOf({ objects, inputs }: Draft, kind: ObjectCell['kind'], input: number): number {
  const known = objects.findIndex((object) => object.kind === kind && object.input === input);
  if (known >= 0) return known;
  const { name } = inputs[input] as CellInput;
  // Quantiles were there first and go by the field alone.
  objects.push({ name: kind === 'quantile' ? name : `${kind}(${name})`, kind, input });
  return objects.length - 1;
}

function addToStep(
  kind: Exclude<CellStep['kind'], 'nulls'>,
  page: Float64Array,
  at: number,
  input: unknown,
): void {
  const value = input as number;
  const before = page[at] as number;
  switch (kind) {
    case 'countIf':
      if (input) page[at] = before + 1;
      return;
    case 'sum':
      page[at] = before + value;
      return;
    case 'min':
      if (value < before || value !== value) page[at] = value;
      return;
    case 'max':
      if (value > before || value !== value) page[at] = value;
      return;
    case 'moments': {
      // Welford's update.
      const seen = before + 1;
      const from = value - (page[at + 1] as number);
      const mean = (page[at + 1] as number) + from / seen;
      page[at] = seen;
      page[at + 1] = mean;
      page[at + 2] = (page[at + 2] as number) + from * (value - mean);
      return;
    }
  }
}

/** Source: Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979). */
function mergeMoments(into: Float64Array, a: number, from: Float64Array, b: number): void {
  const more = from[b] as number;
  if (more === 0) return;
  const had = into[a] as number;
  const seen = had + more;
  const apart = (from[b + 1] as number) - (into[a + 1] as number);
  into[a] = seen;
  into[a + 1] = had === 0 ? (from[b + 1] as number) : (into[a + 1] as number) + (apart * more) / seen;
  const between = had === 0 ? 0 : (apart * apart * had * more) / seen;
  into[a + 2] = (into[a + 2] as number) + (from[b + 2] as number) + between;
}
