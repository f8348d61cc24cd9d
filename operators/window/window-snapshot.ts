import {
  type ArraySource,
  type FieldKeySpace,
  inSteps,
  MillraceError,
  type OperatorState,
  packInSteps,
  type Steps,
  type StoredKeys,
  type ValueKeySpace,
} from '#engine';
import { type CellInput, type CellObject, type CellObjectState, objectFrom } from './cells.ts';
import type { FrozenPane, KeptObjects } from './frozen-pane.ts';
import type { Pane } from './pane.ts';
import { RowWarming } from './row-warming.ts';
import { type SnapshotGroups, snapshotGroups } from './snapshot-groups.ts';
import type { SlidingWindows } from './assigner.ts';
import type { KeptSketch, QuantileSketch, QuantileSketchState } from './quantile-sketch.ts';
import { type StoredSketches, storedSketches, storeSketches } from './stored-sketches.ts';
import type { OpenWindows } from './window-set.ts';
import type { WindowSpec } from './window-spec.ts';

/** The windows of one key group as stored. Cells go by name, so that a job may add or drop aggregates. */
export interface WindowGroup {
  readonly keys: StoredKeys;
  readonly panes: StoredPane[];
  /** Of sliding windows; panes of tumbling ones say enough themselves. */
  readonly sliding?: SlidingWindows;
}

interface StoredPane {
  readonly start: number;
  readonly end: number;
  /** Per entry, which of the group's keys it belongs to. */
  readonly key: Int32Array;
  readonly cells: Readonly<Record<string, Float64Array>>;
  /** Per input, records in which it was null. */
  readonly nulls: Readonly<Record<string, Float64Array>>;
  /** Objects of each entry: quantile sketches by field, others by kind and field. Former snapshots list sketches one by one. */
  readonly sketches: Readonly<Record<string, StoredSketches | readonly CellObjectState[]>>;
  readonly accumulators: readonly unknown[] | null;
}

type Keys = FieldKeySpace | ValueKeySpace;

/** All open panes by key group, frozen: later records do not show in it. */
export function snapshotWindows(panes: readonly Pane[], keys: Keys, spec: WindowSpec): SnapshotGroups {
  const held = panes.map((pane) => ({ pane, frozen: pane.freeze() }));
  const frozen = held.map((it) => it.frozen);
  const warming = new RowWarming(spec.plan.cells.length);
  return snapshotGroups(
    keys,
    (slots, arrays) => storeGroup(frozen, slots, { keys, spec, arrays, warming }),
    () => {
      for (const it of held) it.pane.release(it.frozen);
    },
  );
}

/** @throws MR_STATE_INCOMPATIBLE when the windows have another size or offset than the job's. */
export function restoreWindows(
  parts: readonly OperatorState[],
  windows: OpenWindows,
  keys: Keys,
  spec: WindowSpec,
  operator: string,
): void {
  const panes = new Map<number, Pane>();
  for (const part of parts) {
    for (const group of part.groups.values() as Iterable<WindowGroup>) {
      refuseOtherWindows(group, windows, spec, operator);
      const slots = keys.slotsOf(group.keys);
      for (const stored of group.panes) {
        const pane = panes.get(stored.start) ?? windows.open(stored.start);
        panes.set(stored.start, pane);
        loadPane(pane, stored, slots, spec);
      }
    }
  }
}

/** What a group is made with. */
interface Making {
  readonly keys: Keys;
  readonly spec: WindowSpec;
  readonly arrays: ArraySource;
  readonly warming: RowWarming;
}

function* storeGroup(panes: readonly FrozenPane[], slots: Int32Array, making: Making): Steps<WindowGroup> {
  const { keys, spec, arrays } = making;
  const seen: SeenRows[] = [];
  for (const pane of panes) seen.push(yield* seenBy(pane, slots, making));
  // Keys that have come since are in no pane.
  const held = arrays.bytes(slots.length);
  for (const { count, index } of seen) for (let n = 0; n < count; n++) held[index[n] as number] = 1;
  const keyOf = arrays.int32(slots.length);
  const heldSlots = arrays.int32(slots.length);
  let keyCount = 0;
  for (let i = 0; i < slots.length; i++) {
    keyOf[i] = keyCount;
    if (held[i] === 1) heldSlots[keyCount++] = slots[i] as number;
  }
  yield;
  const stored: StoredPane[] = [];
  for (const rows of seen) if (rows.count > 0) stored.push(yield* storePane(rows, slots, keyOf, making));
  const sliding = spec.windows.kind === 'sliding' ? { sliding: spec.windows } : {};
  return {
    keys: yield* packInSteps(keys, heldSlots.subarray(0, keyCount), arrays),
    panes: stored,
    ...sliding,
  };
}

/** A group's rows in one pane, copied: for each the slot's index in the group, and its cells, cell by cell. */
interface SeenRows {
  readonly pane: FrozenPane;
  readonly count: number;
  readonly index: Int32Array;
  readonly cells: readonly Float64Array[];
}

/** Row by row, since each is another place in memory, and a miss of the processor's cache where it is looked at again. */
function* seenBy(pane: FrozenPane, slots: Int32Array, { spec, arrays, warming }: Making): Steps<SeenRows> {
  const stride = spec.plan.cells.length;
  const room = slots.length;
  const index = arrays.int32(room);
  const cells = arrays.float64(room * stride);
  let count = 0;
  yield* inSteps(room, (from, to) => {
    warming.warm(pane.pages, slots, from, to);
    for (let i = from; i < to; i++) {
      const slot = slots[i] as number;
      const at = pane.cellAt(slot);
      if (at < 0) continue;
      const page = pane.pageOf(slot);
      for (let c = 0; c < stride; c++) cells[c * room + count] = page[at + c] as number;
      index[count++] = i;
    }
  });
  const cellsOf = (_: unknown, c: number) => cells.subarray(c * room, c * room + count);
  return { pane, count, index, cells: spec.plan.cells.map(cellsOf) };
}

function* storePane(
  rows: SeenRows,
  slots: Int32Array,
  keyOf: Int32Array,
  { spec: { plan, fold }, arrays }: Making,
): Steps<StoredPane> {
  const { pane, count, index, cells } = rows;
  const key = arrays.int32(count);
  for (let n = 0; n < count; n++) key[n] = keyOf[index[n] as number] as number;
  const kept: KeptObjects[] = [];
  if (fold !== null || plan.objects.length > 0)
    yield* inSteps(count, (from, to) => {
      for (let n = from; n < to; n++) kept.push(pane.objectsOf(slots[index[n] as number] as number));
    });
  const sketches: Record<string, StoredSketches | readonly CellObjectState[]> = {};
  for (const [o, { name, kind }] of plan.objects.entries()) {
    const states = kept.map(({ objects }) => objects[o]);
    sketches[name] =
      kind === 'quantile'
        ? yield* storeSketches(states as KeptSketch[], arrays)
        : (states as CellObjectState[]);
  }
  const nulls = plan.steps.filter(({ kind }) => kind === 'nulls');
  const isNulls = (c: number) => nulls.some(({ at }) => at === c);
  return {
    start: pane.start,
    end: pane.end,
    key,
    cells: Object.fromEntries(
      plan.cells.flatMap((cell, c) => (isNulls(c) ? [] : [[cell.name, cells[c] as Float64Array]])),
    ),
    nulls: Object.fromEntries(
      nulls.map(({ input, at }) => [(plan.inputs[input] as CellInput).name, cells[at] as Float64Array]),
    ),
    sketches,
    accumulators: fold === null ? null : kept.map(({ accumulator }) => accumulator),
  };
}

/** Column by column: every slot of a group is another place in memory, and is looked for once. */
function loadPane(pane: Pane, stored: StoredPane, slots: Int32Array, { plan, fold }: WindowSpec): void {
  const { key } = stored;
  const count = key.length;
  const pages = new Array<Float64Array>(count);
  const ats = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const { page, at } = pane.cellsOf(slots[key[i] as number] as number);
    pages[i] = page;
    ats[i] = at;
  }
  const load = (cell: number, values: ArrayLike<number>) => {
    for (let i = 0; i < count; i++)
      (pages[i] as Float64Array)[(ats[i] as number) + cell] = values[i] as number;
  };
  for (const [c, { name }] of plan.cells.entries()) {
    const values = stored.cells[name];
    if (values !== undefined) load(c, values);
  }
  for (const { kind, input, at } of plan.steps) {
    if (kind !== 'nulls') continue;
    // An aggregate that the snapshot does not know has seen nothing of what it holds.
    const { name } = plan.inputs[input] as CellInput;
    load(at, stored.nulls[name] ?? Float64Array.from(pages, (page, i) => page[ats[i] as number] as number));
  }
  for (const [o, { name, kind }] of plan.objects.entries()) {
    let i = 0;
    for (const state of objectStates(stored.sketches[name])) {
      const objects = pane.objects[slots[key[i++] as number] as number] as CellObject[];
      if (kind === 'quantile') (objects[o] as QuantileSketch).load(state as QuantileSketchState);
      else objects[o] = objectFrom(kind, state);
    }
  }
  if (fold !== null)
    for (const [i, accumulator] of (stored.accumulators ?? []).entries())
      pane.accumulators[slots[key[i] as number] as number] = accumulator;
}

/** The states of a pane's objects, by entry. */
export function objectStates(
  stored: StoredSketches | readonly CellObjectState[] = [],
): Iterable<CellObjectState> {
  return 'sizes' in stored ? storedSketches(stored) : stored;
}

function refuseOtherWindows(
  group: WindowGroup,
  open: OpenWindows,
  { windows }: WindowSpec,
  operator: string,
): void {
  const asked = windowsText(windows);
  const stored = storedText(group, open, windows);
  if (stored === asked) return;
  throw new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    `Window operator '${operator}' has stored ${stored}, the job asks for ${asked}. Give the operator a new id to start it afresh.`,
    { details: { operator } },
  );
}

function windowsText(windows: WindowSpec['windows']): string {
  const every = windows.kind === 'sliding' ? ` every ${windows.slideMs} ms` : '';
  return `windows of ${windows.sizeMs} ms${every} with offset ${windows.offsetMs} ms`;
}

function storedText(group: Partial<WindowGroup>, open: OpenWindows, asked: WindowSpec['windows']): string {
  // A fold without a merge keeps sliding windows in the general operator's form.
  if (group.panes === undefined) return 'windows of another form (has the aggregate got its merge since?)';
  if (group.sliding !== undefined) return windowsText(group.sliding);
  for (const { start, end } of group.panes) {
    const bounds = open.boundsAt(start);
    if (asked.kind === 'sliding' || bounds.start !== start || bounds.end !== end)
      return `windows of ${end - start} ms, one from ${start}`;
  }
  return windowsText(asked);
}
