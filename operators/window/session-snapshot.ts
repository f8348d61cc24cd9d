import {
  type ArraySource,
  inSteps,
  type KeySpace,
  MillraceError,
  type OperatorState,
  packInSteps,
  type Steps,
  type StoredKeys,
} from '#engine';
import { type CellRows, joinRows, type StoredRows } from './cell-rows.ts';
import type { SessionJournal } from './session-journal.ts';
import { NO_SESSION, type SessionSet } from './session-set.ts';
import { type SnapshotGroups, snapshotGroups } from './snapshot-groups.ts';

/** The sessions of one key group as stored; lists hold one entry per session. */
export interface SessionGroup {
  readonly keys: StoredKeys;
  /** Which of the group's keys it belongs to. */
  readonly key: Int32Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly rows: StoredRows;
}

/** What a restore fills. */
interface SessionState {
  readonly sessions: SessionSet;
  readonly rows: CellRows;
  readonly keys: KeySpace;
}

/** All sessions by key group, each kept by the journal when it is about to change: later records do not show in it. */
export function snapshotSessions(state: SessionState, journal: SessionJournal): SnapshotGroups {
  const { sessions, keys } = state;
  sessions.frozen = journal;
  return snapshotGroups(
    keys,
    (slots, arrays) => storeGroup(journal, slots, state, arrays),
    () => {
      sessions.frozen = null;
      journal.clear();
    },
  );
}

function* storeGroup(
  journal: SessionJournal,
  slots: Int32Array,
  state: SessionState,
  arrays: ArraySource,
): Steps<SessionGroup> {
  const held: Held = { slots: arrays.int32(slots.length), count: 0 };
  const parts: SessionColumns[] = [];
  yield* inSteps(slots.length, (from, to) => {
    parts.push(storeSessions(journal, slots.subarray(from, to), held, state, arrays));
  });
  const count = parts.reduce((sum, { key }) => sum + key.length, 0);
  const [key, start, end] = [arrays.int32(count), arrays.float64(count), arrays.float64(count)];
  let at = 0;
  for (const part of parts) {
    key.set(part.key, at);
    start.set(part.start, at);
    end.set(part.end, at);
    at += part.key.length;
  }
  const partRows = parts.map(({ rows }) => rows);
  return {
    keys: yield* packInSteps(state.keys, held.slots.subarray(0, held.count), arrays),
    key,
    start,
    end,
    rows: joinRows(partRows, count, arrays),
  };
}

/** Slots that have a session, by their numbers in the group. */
interface Held {
  readonly slots: Int32Array;
  count: number;
}

type SessionColumns = Omit<SessionGroup, 'keys'>;

/** The sessions of some slots, in one go: a record in between could change those whose ids are known already. */
function storeSessions(
  journal: SessionJournal,
  slots: Int32Array,
  held: Held,
  { sessions, rows }: SessionState,
  arrays: ArraySource,
): SessionColumns {
  // Step by step for all: a step's look-ups do not wait for each other.
  const latest = arrays.int32(slots.length);
  for (let i = 0; i < slots.length; i++) latest[i] = sessions.latest(slots[i] as number);
  const key: number[] = [];
  /** Ids of sessions, and minus the rows of kept ones. */
  const stored: number[] = [];
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number;
    const before = stored.length;
    if (journal.has(slot))
      for (let row = journal.rowOf(slot); row > 0; row = journal.follows(row) ? row + 1 : 0)
        stored.push(-row);
    else for (let id = latest[i] as number; id !== NO_SESSION; id = sessions.before(id)) stored.push(id);
    while (key.length < stored.length) key.push(held.count);
    if (stored.length > before) held.slots[held.count++] = slot;
  }
  const keys = arrays.int32(key.length);
  keys.set(key);
  return {
    key: keys,
    ...spansOf(stored, sessions, journal, arrays),
    rows: rows.store(stored, journal, arrays),
  };
}

function spansOf(
  stored: readonly number[],
  { starts, ends }: SessionSet,
  journal: SessionJournal,
  arrays: ArraySource,
): { readonly start: Float64Array; readonly end: Float64Array } {
  const [start, end] = [arrays.float64(stored.length), arrays.float64(stored.length)];
  for (let i = 0; i < stored.length; i++) {
    const session = stored[i] as number;
    start[i] = session < 0 ? journal.start(-session) : (starts[session] as number);
    end[i] = session < 0 ? journal.end(-session) : (ends[session] as number);
  }
  return { start, end };
}

/**
 * @param folds the job has a user's aggregate
 * @throws MR_STATE_INCOMPATIBLE when the state is of other windows, or of the other kind of aggregate
 */
export function restoreSessions(
  parts: readonly OperatorState[],
  { sessions, rows, keys }: SessionState,
  folds: boolean,
  operator: string,
): void {
  for (const { watermark, groups } of parts) {
    for (const group of groups.values() as Iterable<SessionGroup>) {
      refuseOtherState(group, folds, operator);
      const slots = keys.slotsOf(group.keys);
      for (const [i, key] of group.key.entries()) {
        const [start, end] = [group.start[i] as number, group.end[i] as number];
        const id = sessions.reopen(slots[key] as number, start, end, watermark);
        if (id !== NO_SESSION) rows.load(id, group.rows, i);
      }
    }
  }
}

function refuseOtherState(group: Partial<SessionGroup>, folds: boolean, operator: string): void {
  const details = { details: { operator } };
  if (group.rows === undefined || group.start === undefined)
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Operator '${operator}' has stored state that is not of session windows. Give the operator a new id to start it afresh.`,
      details,
    );
  if ((group.rows.accumulators !== null) === folds) return;
  const kinds = ['built-in aggregates', 'an aggregate function'];
  const [stored, asked] = folds ? kinds : kinds.reverse();
  throw new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    `Session operator '${operator}' has stored sessions of ${stored}, the job asks for ${asked}. ` +
      'Give the operator a new id to start it afresh.',
    details,
  );
}
