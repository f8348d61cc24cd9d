import { plusSaturating, type StoredKeyGroup, type Waiting } from '#engine';
import type { TimeWindow } from '../window/assigner.ts';
import { checkedGap } from '../window/session-assigner.ts';
import { Deadlines } from './deadlines.ts';
import { LEFT, type Side, type TwoInputFrame, type TwoInputLogic } from './two-input-operator.ts';
import {
  absorb,
  emptyWindows,
  markGiven,
  putRow,
  restoreWindows,
  storeWindows,
  type WindowContents,
  type WindowsBody,
} from './window-contents.ts';
import type { WindowResults } from './window-function.ts';

type Gap = number | ((row: unknown) => number);

const TEXT = 'sessions';

/**
 * Sessions that grow by the records of two inputs. Merging follows Flink: windows that overlap or touch are one.
 *
 * SJ1 sessions of a key neither overlap nor touch; they are sorted by time.
 * SJ2 a session closes when the watermark reaches `end − 1`, and is dropped when it reaches `end − 1 + allowed lateness`. One that
 *     has closed and grows beyond the watermark closes again.
 * SJ3 a record is late when the session it would be in, merged with those kept, would be dropped already.
 *
 * `deadlines` has one entry per slot: the next close or drop of one of its sessions.
 */
export class SharedSessions implements TwoInputLogic {
  readonly #frame: TwoInputFrame;
  readonly #gap: Gap;
  readonly #latenessMs: number;
  readonly #results: WindowResults;
  /** By slot; every session holds its slot. */
  readonly #sessions: WindowContents[][] = [];
  readonly #deadlines = new Deadlines();

  constructor(frame: TwoInputFrame, gap: Gap, latenessMs: number, results: WindowResults) {
    this.#frame = frame;
    this.#gap = gap;
    this.#latenessMs = latenessMs;
    this.#results = results;
  }

  record(side: Side, row: unknown, time: number, slot: number): void {
    const gapMs = typeof this.#gap === 'number' ? this.#gap : checkedGap(this.#gap(row));
    const ownEnd = plusSaturating(time, gapMs);
    const list = this.#of(slot);
    let from = list.length;
    while (from > 0 && (list[from - 1] as WindowContents).end >= time) from--;
    let to = from;
    while (to < list.length && (list[to] as WindowContents).start <= ownEnd) to++;
    const window =
      to === from ? { start: time, end: ownEnd } : spanOf(list[from], list[to - 1], time, ownEnd);
    const { end } = window;
    if (this.#droppedAt(window) <= this.#frame.watermark) return this.#frame.late(side, row, time);
    const isClosed = end - 1 <= this.#frame.watermark;
    if (isClosed) {
      const given = list.slice(from, to).flatMap((session) => session.given);
      this.#results.stage(slot, window, given, side === LEFT ? [[row], []] : [[], [row]]);
      this.#frame.commit();
    }
    const session = this.#merge(list, from, to, slot, window);
    putRow(session, side, row);
    if (isClosed) markGiven(session);
    this.#deadlines.arm(slot, this.#nextOf(session));
  }

  advance(watermark: number): void {
    for (let slot = this.#deadlines.take(watermark); slot >= 0; slot = this.#deadlines.take(watermark)) {
      this.#frame.snapshots.touch(slot);
      const kept: WindowContents[] = [];
      for (const session of this.#of(slot)) {
        if (session.end - 1 <= watermark) this.#results.close(slot, session);
        if (this.#droppedAt(session) <= watermark) this.#frame.keys.slots.drop(slot);
        else kept.push(session);
      }
      this.#sessions[slot] = kept;
      for (const session of kept) this.#deadlines.arm(slot, this.#nextOf(session));
    }
  }

  emptyBody(): WindowsBody {
    return emptyWindows(TEXT);
  }

  store(slot: number, body: WindowsBody, key: number): boolean {
    return storeWindows(body, key, this.#sessions[slot] ?? []);
  }

  restore(stored: unknown): void {
    const group = stored as StoredKeyGroup<WindowsBody>;
    const slots = this.#frame.keys.slotsOf(group.keys);
    restoreWindows(group, TEXT, this.#frame.operator, (key, session) => {
      const slot = slots[key] as number;
      this.#of(slot).push(session);
      this.#frame.keys.slots.hold(slot);
      this.#deadlines.arm(slot, this.#nextOf(session));
    });
  }

  timers(): number {
    return this.#deadlines.size;
  }

  waiting(): Waiting | null {
    const sessions = this.#sessions.flat().filter((session) => this.#results.isWaiting(session));
    if (sessions.length === 0) return null;
    const until = sessions.reduce((least, { end }) => Math.min(least, end - 1), Number.POSITIVE_INFINITY);
    return { what: 'join', until, count: sessions.length };
  }

  /** Makes one session of those from index `from` to before `to`, or a new one when there are none. */
  #merge(list: WindowContents[], from: number, to: number, slot: number, window: TimeWindow): WindowContents {
    const known = list[from];
    if (known === undefined || to === from) {
      const session: WindowContents = { ...window, fresh: null, given: [] };
      list.splice(from, 0, session);
      this.#frame.keys.slots.hold(slot);
      return session;
    }
    known.start = window.start;
    known.end = window.end;
    for (const other of list.splice(from + 1, to - from - 1)) {
      absorb(known, other);
      this.#frame.keys.slots.drop(slot);
    }
    return known;
  }

  /** When the session next asks for the watermark. */
  #nextOf(session: WindowContents): number {
    return session.fresh === null ? this.#droppedAt(session) : session.end - 1;
  }

  #droppedAt({ end }: TimeWindow): number {
    return plusSaturating(end - 1, this.#latenessMs);
  }

  #of(slot: number): WindowContents[] {
    while (this.#sessions.length <= slot) this.#sessions.push([]);
    return this.#sessions[slot] as WindowContents[];
  }
}

/** The window of a record and of the sessions that it joins, of which these are the first and the last. */
function spanOf(
  first: WindowContents | undefined,
  last: WindowContents | undefined,
  time: number,
  end: number,
): TimeWindow {
  return { start: Math.min(time, first?.start ?? time), end: Math.max(end, last?.end ?? end) };
}
