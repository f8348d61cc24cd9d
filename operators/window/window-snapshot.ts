import {
  type FieldKeySpace,
  MillraceError,
  type OperatorState,
  type StoredKeys,
  type ValueKeySpace,
} from '#engine';
import { type CellInput, type CellObject, type CellObjectState, objectFrom } from './cells.ts';
import type { FrozenPane } from './frozen-pane.ts';
import type { Pane } from './pane.ts';
import { type SnapshotGroups, snapshotGroups } from './snapshot-groups.ts';
import type { SlidingWindows } from './assigner.ts';
import type { OpenWindows } from './window-set.ts';
import type { WindowSpec } from './window-spec.ts';

/** The windows of one key group as stored. Cells go by name, so that a job may add or drop aggregates. */
interface WindowGroup {
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
  /** Objects of each entry: quantile sketches by field, others by kind and field. */
  readonly sketches: Readonly<Record<string, readonly CellObjectState[]>>;
  readonly accumulators: readonly unknown[] | null;
}

type Keys = FieldKeySpace | ValueKeySpace;

/** All open panes by key group, frozen: later records do not show in it. */
export function snapshotWindows(panes: readonly Pane[], keys: Keys, spec: WindowSpec): SnapshotGroups {
  const held = panes.map((pane) => ({ pane, frozen: pane.freeze() }));
  const frozen = held.map((it) => it.frozen);
  return snapshotGroups(
    keys,
    (slots) => storeGroup(frozen, slots, keys, spec),
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

function storeGroup(
  panes: readonly FrozenPane[],
  slots: Int32Array,
  keys: Keys,
  spec: WindowSpec,
): WindowGroup {
  const seen = panes.map((pane) => seenBy(pane, slots));
  // Keys that have come since are in no pane.
  const held = new Uint8Array(slots.length);
  for (const indices of seen) for (const i of indices) held[i] = 1;
  const keyOf = new Int32Array(slots.length);
  let count = 0;
  for (let i = 0; i < slots.length; i++) keyOf[i] = (count += held[i] as number) - 1;
  const sliding = spec.windows.kind === 'sliding' ? { sliding: spec.windows } : {};
  return {
    keys: keys.pack(slots.filter((_, i) => held[i] === 1)),
    panes: panes.flatMap((pane, p) => {
      const indices = seen[p] as Int32Array;
      if (indices.length === 0) return [];
      const key = indices.map((i) => keyOf[i] as number);
      return [
        storePane(
          pane,
          key,
          indices.map((i) => slots[i] as number),
          spec,
        ),
      ];
    }),
    ...sliding,
  };
}

/** Which of the slots the pane has touched, by index. */
function seenBy(pane: FrozenPane, slots: Int32Array): Int32Array {
  const indices = new Int32Array(slots.length);
  let count = 0;
  for (let i = 0; i < slots.length; i++) if (pane.cellAt(slots[i] as number) >= 0) indices[count++] = i;
  return indices.slice(0, count);
}

function storePane(
  pane: FrozenPane,
  key: Int32Array,
  slots: Int32Array,
  { plan, fold }: WindowSpec,
): StoredPane {
  const cells = plan.cells.map(() => new Float64Array(slots.length));
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number;
    const page = pane.pageOf(slot);
    const at = pane.cellAt(slot);
    for (let c = 0; c < cells.length; c++) (cells[c] as Float64Array)[i] = page[at + c] as number;
  }
  const kept =
    fold === null && plan.objects.length === 0 ? [] : Array.from(slots, (slot) => pane.objectsOf(slot));
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
    sketches: Object.fromEntries(
      plan.objects.map(({ name }, o) => [name, kept.map(({ objects }) => objects[o] as CellObjectState)]),
    ),
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
  for (const [o, { name, kind }] of plan.objects.entries())
    for (const [i, state] of (stored.sketches[name] ?? []).entries())
      (pane.objects[slots[key[i] as number] as number] as CellObject[])[o] = objectFrom(kind, state);
  if (fold !== null)
    for (const [i, accumulator] of (stored.accumulators ?? []).entries())
      pane.accumulators[slots[key[i] as number] as number] = accumulator;
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
