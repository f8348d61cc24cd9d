import { MillraceError } from '../base/errors.ts';

/** Where a reader stands in a foreign stream. */
export interface StreamPosition {
  /** Id of the last entry that was read; `0-0` before any. */
  readonly id: string;
  /** Entries ever added to the stream up to that id; null while it is not known, or hidden by deletions in its middle. */
  readonly read: number | null;
}

/** What a server says of a stream (XINFO STREAM). */
export interface StreamFacts {
  readonly length: number;
  /** Entries ever added. */
  readonly added: number;
  /** Highest id ever given out. */
  readonly lastId: string;
  /** Null while the stream is empty. */
  readonly firstId: string | null;
  /** Highest id that was deleted singly (XDEL); trimming does not count. */
  readonly deletedId: string;
}

/** Ids of entries in their order. */
export interface EntryIds {
  readonly length: number;
  /** As that of an array. */
  readonly at: (index: number) => string | undefined;
}

const STREAM_START = '0-0';

/**
 * Where a fresh job begins. A capped stream loses its first entries all the time, so the earliest is not one that is there now, but whatever
 * the first read finds; from there on none may be missing.
 * @param facts null when there is no such stream yet
 */
export function startPosition(facts: StreamFacts | null, where: 'earliest' | 'latest'): StreamPosition {
  if (where === 'earliest') return { id: STREAM_START, read: null };
  return facts === null ? { id: STREAM_START, read: 0 } : { id: facts.lastId, read: facts.added };
}

/**
 * Where a reader stands after a read, or why it must not go on.
 *
 * Ids say only what comes after what, not whether something lay between, and XREAD passes over what was trimmed in silence. But trimming
 * takes from the front. So if the entry read before (or an older one) is still there, nothing behind it was taken; and if not, the number of
 * entries ever added, less those that are left, tells how many were taken, which must not be more than were read.
 *
 * SP1 MR_LOG_TRIMMED when entries between two that were read were trimmed, or may have been.
 * SP2 MR_LOG_ROLLED_BACK when the stream is gone, its ids or its count ran backwards, or it was created anew.
 *
 * @param before where the reader stood; @param ids of the entries that the read gave, in order
 * @param facts of a time after the read; null when there is no such stream
 */
export function positionAfter(
  stream: string,
  before: StreamPosition,
  ids: EntryIds,
  facts: StreamFacts | null,
): StreamPosition | MillraceError {
  const id = ids.at(-1) ?? before.id;
  if (facts === null) {
    return id === STREAM_START ? before : rolledBack(stream, id, 'the stream is gone');
  }
  if (compareIds(facts.lastId, id) < 0)
    return rolledBack(stream, id, `the last id that it gave out is ${facts.lastId}`);
  const atHead = compareIds(facts.lastId, id) === 0;
  const read = before.read === null ? null : before.read + ids.length;
  if (read !== null && facts.added < read)
    return rolledBack(stream, id, `it has had ${facts.added} entries, of which ${read} were read`);
  if (!contiguous(before, facts)) {
    const passed = read === null ? null : entriesPassed(before, ids, facts);
    const lost = read === null || passed === null ? null : passed - read;
    if (lost === null || lost > 0) return trimmed(stream, before.id, facts, lost);
    if (lost < 0)
      return rolledBack(stream, id, `${-lost} more entries were read than it has had up to there`);
  }
  if (atHead) return { id, read: facts.added };
  return { id, read: read ?? (left(ids, facts) > 0 ? entriesPassed(before, ids, facts) : null) };
}

/** Negative, zero or positive, as entry ids `<ms>-<sequence>` are ordered. */
export function compareIds(a: string, b: string): number {
  const [aMs = '', aSeq = ''] = a.split('-');
  const [bMs = '', bSeq = ''] = b.split('-');
  return compareDecimals(aMs, bMs) || compareDecimals(aSeq, bSeq);
}

/** 64-bit numbers without leading zeros. */
function compareDecimals(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True when ids alone prove that nothing behind `before` was trimmed, or that there was nothing to lose. */
function contiguous(before: StreamPosition, { firstId, lastId }: StreamFacts): boolean {
  if (before.id === STREAM_START && before.read === null) return true; // begins with whatever it finds
  if (firstId !== null && compareIds(firstId, before.id) <= 0) return true;
  return compareIds(lastId, before.id) === 0;
}

/**
 * How many entries were ever added up to the last of a read, or up to the first that is left if that comes later. Null when it cannot be
 * told: the read began behind the first that is left, or deletions disturb the count.
 */
function entriesPassed(before: StreamPosition, ids: EntryIds, facts: StreamFacts): number | null {
  const { added, length, firstId } = facts;
  if (deletedInside(facts) || (firstId !== null && compareIds(firstId, before.id) <= 0)) return null;
  return added - (length - left(ids, facts));
}

/** How many of the entries that a read gave are still there. */
function left(ids: EntryIds, { firstId }: StreamFacts): number {
  if (firstId === null) return 0;
  let gone = 0;
  while (gone < ids.length && compareIds(ids.at(gone) as string, firstId) < 0) gone++;
  return ids.length - gone;
}

/** True when entries behind the first were deleted singly, so that counts do not tell places. */
function deletedInside({ firstId, deletedId }: StreamFacts): boolean {
  return firstId !== null && compareIds(deletedId, firstId) > 0;
}

function rolledBack(stream: string, id: string, found: string): MillraceError {
  return new MillraceError(
    'MR_LOG_ROLLED_BACK',
    `Stream '${stream}' is not the one that was read up to ${id}: ${found}. The server lost or replaced entries; restart from a checkpoint whose position still matches.`,
    { details: { stream, entry: id } },
  );
}

function trimmed(stream: string, id: string, { firstId }: StreamFacts, lost: number | null): MillraceError {
  const what = lost === null ? 'Entries may have been' : `${lost} entries were`;
  return new MillraceError(
    'MR_LOG_TRIMMED',
    `${what} trimmed from stream '${stream}' after ${id} before they were read; it now starts at ${firstId ?? 'no entry'}. Let its producer keep more, or restart the job under another name to go on from there.`,
    { details: { stream, entry: id } },
  );
}
