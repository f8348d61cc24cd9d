import { KeyGroupWriter, type KeySpace, MillraceError, type OperatorState } from '#engine';
import type { CellRows, StoredRows } from './cell-rows.ts';
import { NO_SESSION, type SessionSet } from './session-set.ts';

/** The sessions of one key group as stored; lists hold one entry per session. */
interface SessionGroup {
  readonly keys: Uint8Array[];
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

/** All sessions by key group, copied: later records do not show in it. */
export function snapshotSessions({ sessions, rows, keys }: SessionState): Map<number, SessionGroup> {
  const writer = new KeyGroupWriter(keys, () => ({
    keys: [] as Uint8Array[],
    key: [] as number[],
    ids: [] as number[],
  }));
  sessions.forEach((id, slot) => {
    const { group, key } = writer.place(slot);
    group.key.push(key);
    group.ids.push(id);
  });
  return new Map(
    [...writer.groups].map(([number, group]) => [
      number,
      {
        keys: group.keys,
        key: Int32Array.from(group.key),
        start: Float64Array.from(group.ids, (id) => sessions.starts[id] as number),
        end: Float64Array.from(group.ids, (id) => sessions.ends[id] as number),
        rows: rows.store(group.ids),
      },
    ]),
  );
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
      const slots = group.keys.map((key) => keys.slotOfCanonical(key));
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
