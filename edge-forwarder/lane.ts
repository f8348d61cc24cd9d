/**
 * The sequence chain of one partition, as numbers. All bounds are exclusive at the top and ordered:
 *
 *     gapFrom ≤ front ≤ confirmedTo ≤ next
 *     [gapFrom, front)      a hole: dropped or lost, declared to the log by the predecessor of the frame at `front`
 *     [front, confirmedTo)  stored, and in the log: kept for a rewind
 *     [confirmedTo, next)   stored, not known to be in the log
 */
export interface Lane {
  readonly partition: number;
  /** 0 until the log was asked once. */
  readonly epoch: number;
  readonly gapFrom: number;
  readonly front: number;
  readonly confirmedTo: number;
  readonly next: number;
}

/** Sequence of a lane's very first record. */
export const FIRST_SEQUENCE = 1;
/** Confirmations within this part of the grace period share one mark. */
const MARKS_PER_GRACE = 64;

/** A lane as the outbox keeps it. */
export interface LaneState {
  partition: number;
  epoch: number;
  gapFrom: number;
  front: number;
  confirmedTo: number;
  next: number;
  /** Confirmations by time, oldest first: everything below `to` was confirmed by `atMs` (monotonic). */
  marks: readonly ConfirmationMark[];
  /** Differs from what is stored. */
  changed: boolean;
}

interface ConfirmationMark {
  readonly to: number;
  readonly atMs: number;
}

export function newLane(partition: number): LaneState {
  const start = FIRST_SEQUENCE;
  return {
    partition,
    epoch: 0,
    gapFrom: start,
    front: start,
    confirmedTo: start,
    next: start,
    marks: [],
    changed: true,
  };
}

/** Notes when everything below `confirmedTo` was confirmed. */
export function markConfirmed(lane: LaneState, nowMs: number, graceMs: number): void {
  const newest = lane.marks.at(-1);
  const shared = newest !== undefined && nowMs - newest.atMs < graceMs / MARKS_PER_GRACE;
  const earlier = shared ? lane.marks.slice(0, -1) : lane.marks;
  lane.marks = [...earlier, { to: lane.confirmedTo, atMs: shared ? newest.atMs : nowMs }];
}

/** Where the sequences end that were confirmed at or before `deadlineMs`. */
export function confirmedBefore(lane: LaneState, deadlineMs: number): number {
  return lane.marks.findLast((mark) => mark.atMs <= deadlineMs)?.to ?? lane.front;
}

/** Takes confirmations back: what starts at `from` is not known to be in the log any more. */
export function takeBack(lane: LaneState, from: number): void {
  lane.confirmedTo = from;
  lane.marks = lane.marks.filter((mark) => mark.to <= from);
  lane.changed = true;
}

/** Everything below `to` leaves the store. Returns how many of its records were not confirmed: they widen the hole. */
export function moveFront(lane: LaneState, to: number): number {
  const dropped = Math.max(0, to - lane.confirmedTo);
  if (dropped === 0) lane.gapFrom = to;
  else if (lane.confirmedTo > lane.front) lane.gapFrom = lane.confirmedTo;
  lane.front = to;
  lane.confirmedTo = Math.max(lane.confirmedTo, to);
  lane.marks = lane.marks.filter((mark) => mark.to > to);
  lane.changed = true;
  return dropped;
}
