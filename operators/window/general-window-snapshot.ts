import {
  type ArraySource,
  type FieldKeySpace,
  inSteps,
  KeyGroupWriter,
  MillraceError,
  type OperatorState,
  packInSteps,
  type Steps,
  type StoredKeys,
  type ValueKeySpace,
} from '#engine';
import type { StoredStates } from '../state/stored-states.ts';
import type { WindowForm, WindowPlan } from './general-window-spec.ts';
import type { OpenWindow, WindowStore } from './general-window-store.ts';
import type { WindowContents } from './general-window-contents.ts';
import { plainCopy } from './plain-copy.ts';
import { SlotJournal } from './slot-journal.ts';
import { type SnapshotGroups, snapshotGroups } from './snapshot-groups.ts';
import type { WindowProcessRunner } from './window-process-runner.ts';

/** The windows of one key group as stored. */
export interface GeneralWindowGroup {
  readonly keys: StoredKeys;
  readonly form: WindowForm;
  readonly windows: readonly StoredWindow[];
  /** Of window functions: by key, and by index among {@link windows}. */
  readonly keyStates: StoredStates;
  readonly windowStates: StoredStates;
}

interface StoredWindow {
  readonly key: number;
  readonly start: number;
  readonly end: number;
  readonly newest: number;
  /** None or one. */
  readonly contents: readonly unknown[];
  /** None or one. */
  readonly trigger: readonly unknown[];
  readonly eventTimers: readonly number[];
  readonly processingTimers: readonly number[];
}

type Keys = FieldKeySpace | ValueKeySpace;

/**
 * All windows by key group, each kept when it is about to change: later records do not show in it. Cleanup times are not stored,
 * they follow from the lateness. With a window function's own state all of it is copied at once.
 */
export function snapshotGeneralWindows(
  plan: WindowPlan,
  store: WindowStore,
  keys: Keys,
  process: WindowProcessRunner | null,
): SnapshotGroups {
  if (process?.hasState === true)
    return { groups: copiedGroups(plan, store, keys, process), release: () => {} };
  const journal = new SlotJournal((slot) =>
    store.of(slot).map((window) => keptWindow(window, plan.contents)),
  );
  store.frozen = journal;
  return snapshotGroups(
    keys,
    (slots, arrays) => storeGroup(journal, slots, { keys, form: plan.form, arrays }),
    () => {
      store.frozen = null;
    },
  );
}

type KeptWindow = Omit<StoredWindow, 'key'>;

function keptWindow(window: OpenWindow, contents: WindowContents): KeptWindow {
  return {
    start: window.start,
    end: window.end,
    newest: window.newest,
    contents: window.contents === undefined ? [] : [contents.store(window.contents)],
    trigger: window.triggerState === undefined ? [] : [plainCopy(window.triggerState)],
    eventTimers: window.eventTimers.slice(),
    processingTimers: window.processingTimers.slice(),
  };
}

function* storeGroup(
  journal: SlotJournal<readonly KeptWindow[]>,
  slots: Int32Array,
  { keys, form, arrays }: { readonly keys: Keys; readonly form: WindowForm; readonly arrays: ArraySource },
): Steps<GeneralWindowGroup> {
  const held = arrays.int32(slots.length);
  let keyCount = 0;
  const windows: StoredWindow[] = [];
  yield* inSteps(slots.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const slot = slots[i] as number;
      const kept = journal.of(slot);
      if (kept.length === 0) continue;
      for (const window of kept) windows.push({ key: keyCount, ...window });
      held[keyCount++] = slot;
    }
  });
  const packed = yield* packInSteps(keys, held.subarray(0, keyCount), arrays);
  return { keys: packed, form, windows, keyStates: {}, windowStates: {} };
}

function copiedGroups(
  { form, contents }: WindowPlan,
  store: WindowStore,
  keys: Keys,
  process: WindowProcessRunner,
): ReadonlyMap<number, GeneralWindowGroup> {
  const writer = new KeyGroupWriter(keys, () => ({
    keys: [] as Uint8Array[],
    form,
    windows: [] as StoredWindow[],
    keyStates: {} as StoredStates,
    windowStates: {} as StoredStates,
  }));
  const places = new Map<number, { readonly states: StoredStates; readonly key: number }>();
  store.forEach((window) => {
    const { group, key } = writer.place(window.slot);
    const index = group.windows.push({ key, ...keptWindow(window, contents) }) - 1;
    places.set(window.id, { states: group.windowStates, key: index });
  });
  process.windowState.store((id) => places.get(id) as { states: StoredStates; key: number }, nowhere);
  process.keyState.store(
    (slot) => {
      const { group, key } = writer.place(slot);
      return { states: group.keyStates, key };
    },
    (bytes, number) => {
      const { group, key } = writer.placeKey(bytes, number);
      return { states: group.keyStates, key };
    },
  );
  return writer.groups;
}

/** @throws MR_STATE_INCOMPATIBLE when the stored windows are not the job's */
export function restoreGeneralWindows(
  parts: readonly OperatorState[],
  { form, contents }: WindowPlan,
  into: { readonly store: WindowStore; readonly keys: Keys; readonly process: WindowProcessRunner | null },
  operator: string,
): void {
  const { store, keys, process } = into;
  for (const part of parts) {
    for (const group of part.groups.values() as Iterable<GeneralWindowGroup>) {
      refuseOtherForm(group, form, process, operator);
      const slots = keys.slotsOf(group.keys);
      const ids = group.windows.map((stored) => {
        const window = store.open(slots[stored.key] as number, stored.start, stored.end);
        load(window, stored, contents.load, store);
        return window.id;
      });
      process?.keyState.restore(group.keyStates, slots);
      process?.windowState.restore(group.windowStates, ids);
    }
  }
}

function load(
  window: OpenWindow,
  stored: StoredWindow,
  contentsFrom: (stored: unknown) => unknown,
  store: WindowStore,
): void {
  window.newest = stored.newest;
  if (stored.contents.length > 0) window.contents = contentsFrom(stored.contents[0]);
  if (stored.trigger.length > 0) window.triggerState = stored.trigger[0];
  for (const time of stored.eventTimers) store.addEventTimer(window, time);
  for (const time of stored.processingTimers) store.addProcessingTimer(window, time);
}

function refuseOtherForm(
  group: GeneralWindowGroup,
  form: WindowForm,
  process: WindowProcessRunner | null,
  operator: string,
): void {
  const refuse = (stored: string, asked: string) =>
    new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Window operator '${operator}' has stored ${stored}, the job asks for ${asked}. Give the operator a new id to start it afresh.`,
      { details: { operator } },
    );
  const stored = group.form;
  if (stored.windows !== form.windows) throw refuse(stored.windows, form.windows);
  if (stored.contents !== form.contents) throw refuse(`windows of ${stored.contents}`, `${form.contents}`);
  if (stored.trigger !== form.trigger)
    throw refuse(`state of trigger '${stored.trigger}'`, `trigger '${form.trigger}'`);
  const names = [...Object.keys(group.keyStates), ...Object.keys(group.windowStates)];
  if (process === null && names.length > 0)
    throw refuse(`state '${names.join("', '")}' of a window function`, 'an aggregate');
}

/** Per-window state stays in memory: it has no keys without a slot. */
function nowhere(): never {
  throw new MillraceError('MR_INVARIANT', 'state of a window without its key');
}
