import { type FieldKeySpace, MillraceError, type OperatorState, type ValueKeySpace } from '#engine';
import { type CellInput, type CellObject, type CellObjectState, objectFrom } from './cells.ts';
import type { Pane } from './pane.ts';
import type { SlidingWindows } from './assigner.ts';
import type { OpenWindows } from './window-set.ts';
import type { WindowSpec } from './window-spec.ts';

/** The windows of one key group as stored. Cells go by name, so that a job may add or drop aggregates. */
interface WindowGroup {
  readonly keys: Uint8Array[];
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
  /** Objects of each entry: quantile sketches by field, others by kind and field. */
  readonly sketches: Readonly<Record<string, readonly CellObjectState[]>>;
  readonly accumulators: readonly unknown[] | null;
}

type Keys = FieldKeySpace | ValueKeySpace;

/** All open panes by key group, copied: later records do not show in it. */
export function snapshotWindows(
  panes: readonly Pane[],
  keys: Keys,
  spec: WindowSpec,
): Map<number, WindowGroup> {
  const groups = new Map<number, { group: WindowGroup; index: Map<number, number> }>();
  for (const pane of panes) {
    for (const [number, slots] of byGroup(pane, keys)) {
      let entry = groups.get(number);
      if (entry === undefined) {
        const sliding = spec.windows.kind === 'sliding' ? { sliding: spec.windows } : {};
        entry = { group: { keys: [], panes: [], ...sliding }, index: new Map() };
        groups.set(number, entry);
      }
      for (const slot of slots) {
        if (entry.index.has(slot)) continue;
        entry.index.set(slot, entry.group.keys.length);
        entry.group.keys.push(keys.canonical(slot));
      }
      entry.group.panes.push(storePane(pane, slots, entry.index, spec));
    }
  }
  return new Map([...groups].map(([number, { group }]) => [number, group]));
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
      const slots = group.keys.map((key) => keys.slotOfCanonical(key));
      for (const stored of group.panes) {
        const pane = panes.get(stored.start) ?? windows.open(stored.start);
        panes.set(stored.start, pane);
        loadPane(pane, stored, slots, spec);
      }
    }
  }
}

function byGroup(pane: Pane, keys: Keys): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const slot of pane.touched) {
    const group = keys.group(slot);
    const slots = groups.get(group);
    if (slots === undefined) groups.set(group, [slot]);
    else slots.push(slot);
  }
  return groups;
}

function storePane(
  pane: Pane,
  slots: readonly number[],
  index: ReadonlyMap<number, number>,
  { plan, fold }: WindowSpec,
): StoredPane {
  const cells = plan.cells.map(() => new Float64Array(slots.length));
  const objects = plan.objects.map((): CellObjectState[] => []);
  slots.forEach((slot, i) => {
    const { page, at } = pane.cellsOf(slot);
    for (let c = 0; c < cells.length; c++) (cells[c] as Float64Array)[i] = page[at + c] as number;
    for (let o = 0; o < objects.length; o++)
      objects[o]?.push(((pane.objects[slot] as CellObject[])[o] as CellObject).state());
  });
  const nulls = plan.steps.filter(({ kind }) => kind === 'nulls');
  const isNulls = (c: number) => nulls.some(({ at }) => at === c);
  return {
    start: pane.start,
    end: pane.end,
    key: Int32Array.from(slots, (slot) => index.get(slot) as number),
    cells: Object.fromEntries(
      plan.cells.flatMap((cell, c) => (isNulls(c) ? [] : [[cell.name, cells[c] as Float64Array]])),
    ),
    nulls: Object.fromEntries(
      nulls.map(({ input, at }) => [(plan.inputs[input] as CellInput).name, cells[at] as Float64Array]),
    ),
    sketches: Object.fromEntries(plan.objects.map(({ name }, o) => [name, objects[o] as CellObjectState[]])),
    accumulators: fold === null ? null : slots.map((slot) => structuredClone(pane.accumulators[slot])),
  };
}

function loadPane(pane: Pane, stored: StoredPane, slots: readonly number[], { plan }: WindowSpec): void {
  stored.key.forEach((key, i) => {
    const slot = slots[key] as number;
    const { page, at } = pane.cellsOf(slot);
    for (const [c, cell] of plan.cells.entries()) {
      const value = stored.cells[cell.name]?.[i];
      if (value !== undefined) page[at + c] = value;
    }
    for (const { kind, input, at: cell } of plan.steps) {
      if (kind !== 'nulls') continue;
      // An aggregate that the snapshot does not know has seen nothing of what it holds.
      const { name } = plan.inputs[input] as CellInput;
      page[at + cell] = stored.nulls[name]?.[i] ?? (page[at] as number);
    }
    for (const [o, { name, kind }] of plan.objects.entries()) {
      const state = stored.sketches[name]?.[i];
      if (state !== undefined) (pane.objects[slot] as CellObject[])[o] = objectFrom(kind, state);
    }
    if (stored.accumulators !== null) pane.accumulators[slot] = stored.accumulators[i];
  });
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
