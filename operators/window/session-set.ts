import { invariant, plusSaturating, type SlotTable, TimerQueue } from '#engine';
import type { CellRows } from './cell-rows.ts';

/** No session: an id that never is one. Its start is beyond every time, so that generated loops need no check for it. */
export const NO_SESSION = 0;

/**
 * The open sessions of one operator: by id their span, and by key slot a list of ids, latest first, of which a key usually has
 * one. An id is also the session's row of cells. A session holds its key's slot.
 *
 * SS1 sessions of one key neither overlap nor touch: `next.end < start` all along a list.
 * SS2 a session exists exactly while `end − 1 + lateness` lies above the watermark.
 * SS3 a session has one timer, at `armed`: at `end − 1` or earlier while its result is still to come (it may have grown since, and
 *     is then armed anew when the timer fires), at `end` or later, for its cleanup, once the result was given. So `armed < end`
 *     says "pending", and a record that only extends a pending session touches no timer.
 */
export class SessionSet {
  /** By slot, the latest session; NO_SESSION when there is none. May be shorter than the slots. */
  heads = new Int32Array(1024);
  /** By session, like all below. First event time, inclusive. */
  starts = new Float64Array(1024).fill(Number.POSITIVE_INFINITY);
  /** Exclusive. */
  ends = new Float64Array(1024);
  armed = new Float64Array(1024);
  watermark: number;
  /** Of a snapshot that is being written: called before anything of a slot changes. */
  frozen: { readonly before: (slot: number) => void } | null = null;
  #size = 0;
  /** The next earlier session of the same key. */
  #next = new Int32Array(1024);
  #slotOf = new Int32Array(1024);
  /** Where the last find() stopped: the session after which, in the list, a new one goes. */
  #later = NO_SESSION;
  readonly #timers = new TimerQueue();
  readonly #latenessMs: number;
  readonly #rows: CellRows;
  readonly #slots: SlotTable;

  constructor(latenessMs: number, rows: CellRows, slots: SlotTable, watermark: number) {
    this.#latenessMs = latenessMs;
    this.#rows = rows;
    this.#slots = slots;
    this.watermark = watermark;
  }

  get size(): number {
    return this.#size;
  }

  /** The latest session of the key that `[start, end)` overlaps or touches, or NO_SESSION. */
  find(slot: number, start: number, end: number): number {
    this.#later = NO_SESSION;
    let id = this.#head(slot);
    while (id !== NO_SESSION && (this.starts[id] as number) > end) {
      this.#later = id;
      id = this.#next[id] as number;
    }
    return id !== NO_SESSION && (this.ends[id] as number) >= start ? id : NO_SESSION;
  }

  /** The next earlier session of the same key when it touches `start` too, else NO_SESSION. */
  earlier(id: number, start: number): number {
    const next = this.#next[id] as number;
    return next !== NO_SESSION && (this.ends[next] as number) >= start ? next : NO_SESSION;
  }

  /** True when a session of that end has nothing to wait for any more. */
  isOver(end: number): boolean {
    return this.#cleanupTime(end) <= this.watermark;
  }

  /** True when its result has been given, so that a change gives another at once. */
  isGiven(id: number): boolean {
    return (this.armed[id] as number) >= (this.ends[id] as number);
  }

  /** A new session where the last find() found none. When it is due already, its result must be given at once. */
  open(slot: number, start: number, end: number): number {
    return this.#open(slot, start, end, end - 1 <= this.watermark);
  }

  /** A stored session, as it was when `watermark` was reached; NO_SESSION when, with today's lateness, it would have been over. */
  reopen(slot: number, start: number, end: number, watermark: number): number {
    if (this.#cleanupTime(end) <= watermark) return NO_SESSION;
    invariant(this.find(slot, start, end) === NO_SESSION, 'stored sessions of a key do not touch');
    return this.#open(slot, start, end, end - 1 <= watermark);
  }

  /** Widens the session that find() gave by `[start, end)`, taking in the earlier ones that it touches then. */
  extend(id: number, start: number, end: number): void {
    const given = this.isGiven(id);
    let from = start;
    for (let other = this.earlier(id, start); other !== NO_SESSION; other = this.earlier(id, start)) {
      from = Math.min(from, this.starts[other] as number);
      this.#rows.merge(id, other);
      this.#next[id] = this.#next[other] as number;
      this.#timers.delete(other, this.armed[other] as number);
      this.#forget(other);
    }
    this.starts[id] = Math.min(from, this.starts[id] as number);
    this.ends[id] = Math.max(end, this.ends[id] as number);
    if (!given || (this.ends[id] as number) - 1 <= this.watermark) return;
    this.#timers.delete(id, this.armed[id] as number);
    this.#arm(id, (this.ends[id] as number) - 1);
  }

  /** The next session whose result is due at the watermark, in order of their ends, or NO_SESSION; give() it then. */
  takeDue(): number {
    for (let due = this.#timers.takeDue(this.watermark); due !== null; ) {
      const { slot: id, time } = due;
      this.frozen?.before(this.slotOf(id));
      const last = (this.ends[id] as number) - 1;
      if (time > last) this.#retain(id);
      else if (time < last) this.#arm(id, last);
      else return id;
      due = this.#timers.takeDue(this.watermark);
    }
    return NO_SESSION;
  }

  /** The result of a due session has been given. */
  give(id: number): void {
    this.#retain(id);
  }

  /** Calls `visit` for every session, a key's earlier ones later. */
  forEach(visit: (id: number, slot: number) => void): void {
    for (let slot = 0; slot < this.heads.length; slot++)
      for (let id = this.#head(slot); id !== NO_SESSION; id = this.#next[id] as number) visit(id, slot);
  }

  /** A key's latest session, or NO_SESSION. */
  latest(slot: number): number {
    return this.#head(slot);
  }

  /** The session of the same key before it, or NO_SESSION. */
  before(id: number): number {
    return this.#next[id] as number;
  }

  slotOf(id: number): number {
    return this.#slotOf[id] as number;
  }

  #open(slot: number, start: number, end: number, given: boolean): number {
    const id = this.#rows.open();
    if (id >= this.ends.length) this.#growSessions(id);
    if (slot >= this.heads.length) this.#growSlots(slot);
    this.starts[id] = start;
    this.ends[id] = end;
    this.#slotOf[id] = slot;
    const later = this.#later;
    if (later === NO_SESSION) {
      this.#next[id] = this.heads[slot] as number;
      this.heads[slot] = id;
    } else {
      this.#next[id] = this.#next[later] as number;
      this.#next[later] = id;
    }
    this.#arm(id, given ? this.#cleanupTime(end) : end - 1);
    this.#slots.hold(slot);
    this.#size++;
    return id;
  }

  #cleanupTime(end: number): number {
    return plusSaturating(end - 1, this.#latenessMs);
  }

  #head(slot: number): number {
    return this.heads[slot] ?? NO_SESSION;
  }

  #arm(id: number, time: number): void {
    this.armed[id] = time;
    this.#timers.add(id, time);
  }

  /** Keeps a given session for late records, or lets it go (SS2). */
  #retain(id: number): void {
    const cleanup = this.#cleanupTime(this.ends[id] as number);
    if (cleanup > this.watermark) this.#arm(id, cleanup);
    else this.#drop(id);
  }

  #drop(id: number): void {
    const slot = this.#slotOf[id] as number;
    const next = this.#next[id] as number;
    if (this.heads[slot] === id) this.heads[slot] = next;
    else {
      let later = this.heads[slot] as number;
      while (this.#next[later] !== id) later = this.#next[later] as number;
      this.#next[later] = next;
    }
    this.#forget(id);
  }

  #forget(id: number): void {
    this.starts[id] = Number.POSITIVE_INFINITY;
    this.#rows.close(id);
    this.#slots.drop(this.#slotOf[id] as number);
    this.#size--;
  }

  #growSessions(id: number): void {
    const capacity = Math.max(this.ends.length * 2, id + 1);
    const grown = (old: Float64Array, fill: number) => {
      const made = new Float64Array(capacity).fill(fill, old.length);
      made.set(old);
      return made;
    };
    this.starts = grown(this.starts, Number.POSITIVE_INFINITY);
    this.ends = grown(this.ends, 0);
    this.armed = grown(this.armed, 0);
    this.#next = grownInts(this.#next, capacity);
    this.#slotOf = grownInts(this.#slotOf, capacity);
  }

  #growSlots(slot: number): void {
    this.heads = grownInts(this.heads, Math.max(this.heads.length * 2, slot + 1));
  }
}

function grownInts(old: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(capacity);
  made.set(old);
  return made;
}
