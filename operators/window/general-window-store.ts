import {
  type Clock,
  MAX_WATERMARK,
  MillraceError,
  MIN_WATERMARK,
  plusSaturating,
  ProcessingTimers,
  type SlotTable,
  TimerQueue,
  type Waiting,
} from '#engine';
import type { SlotJournal } from './slot-journal.ts';

/** One window of one key with all that belongs to it. */
export interface OpenWindow {
  /** Index of timers and of per-window state; reused when the window is gone. */
  readonly id: number;
  readonly slot: number;
  start: number;
  end: number;
  maxTimestamp: number;
  /** When everything of it is dropped; MAX_WATERMARK = never. */
  cleanup: number;
  /** Accumulator or elements; undefined when there are none. */
  contents: unknown;
  /** Of a global window: newest event time among the contents. */
  newest: number;
  /** Undefined when there is none. */
  triggerState: unknown;
  /** Times that the trigger asked for. */
  eventTimers: number[];
  processingTimers: number[];
}

/** A timer that has become due. */
export interface DueTimer {
  readonly window: OpenWindow;
  readonly time: number;
}

/** The end of a list. */
const NONE = -1;

/**
 * The open windows of one operator, found by key slot and start, with their timers. A key has few windows at a time (one tumbling,
 * a few sliding or sessions), so they stand in a list per slot, latest opened first. What is looked at to find one lies in dense
 * arrays: with many keys a lookup costs what it misses in the processor's cache.
 *
 * GS1 a window holds its key's slot, and its timers exist exactly as long as it does.
 * GS2 a window has one cleanup timer at `maxTimestamp + lateness`, unless that is never. It is one with a trigger's timer for the same
 *     time, and no trigger can delete it.
 * GS3 no pass of firing goes on for ever: a timer that is set while firing, for the fired time or earlier, fires with the next pass; so
 *     does one of a window without end for a time that the pass has reached already, and one on the clock for a time that has passed.
 */
export class WindowStore {
  watermark = MIN_WATERMARK;
  /** Of a snapshot that is being written: called before any window of a slot changes, so once per record and per fired timer. */
  frozen: Pick<SlotJournal<object>, 'before'> | null = null;
  readonly #latenessMs: number;
  readonly #slots: SlotTable;
  readonly #clock: Clock;
  /** By slot, the id of its list's first window. */
  #heads = new Int32Array(1024).fill(NONE);
  /** By id: the next window of the key, and a copy of the start. */
  #next = new Int32Array(1024).fill(NONE);
  #starts = new Float64Array(1024);
  readonly #byId: (OpenWindow | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #eventTimers = new TimerQueue();
  readonly #processingTimers: ProcessingTimers;
  readonly #touched: OpenWindow[] = [];
  #size = 0;
  /** Event time being fired, and whether a clock pass is under way (GS3). */
  #firedAt: number | null = null;
  #onClock = false;
  #passed: { readonly window: OpenWindow; readonly time: number }[] = [];

  constructor(latenessMs: number, slots: SlotTable, clock: Clock, wake: () => void) {
    this.#latenessMs = latenessMs;
    this.#slots = slots;
    this.#clock = clock;
    this.#processingTimers = new ProcessingTimers(clock, wake);
  }

  get size(): number {
    return this.#size;
  }

  /** False when the window has been removed. */
  has(window: OpenWindow): boolean {
    return this.#byId[window.id] === window;
  }

  /** True when a window that ends then is over, lateness included. */
  isOver(end: number): boolean {
    return plusSaturating(lastOf(end), this.#latenessMs) <= this.watermark;
  }

  find(slot: number, start: number): OpenWindow | null {
    const starts = this.#starts;
    let id = this.#head(slot);
    while (id !== NONE && starts[id] !== start) id = this.#next[id] as number;
    return id === NONE ? null : (this.#byId[id] as OpenWindow);
  }

  /** A key's windows in the order of their opening. */
  of(slot: number): OpenWindow[] {
    const windows: OpenWindow[] = [];
    for (let id = this.#head(slot); id !== NONE; id = this.#next[id] as number)
      windows.push(this.#byId[id] as OpenWindow);
    return windows.reverse();
  }

  /** The key's windows that `[start, end)` overlaps or touches, earliest first; valid until the next call. */
  touching(slot: number, start: number, end: number): readonly OpenWindow[] {
    this.#touched.length = 0;
    for (let id = this.#head(slot); id !== NONE; id = this.#next[id] as number) {
      const window = this.#byId[id] as OpenWindow;
      if (window.start <= end && window.end >= start) this.#touched.push(window);
    }
    return this.#touched.length > 1 ? this.#touched.sort((a, b) => a.start - b.start) : this.#touched;
  }

  open(slot: number, start: number, end: number): OpenWindow {
    const id = this.#freeIds.pop() ?? this.#byId.length;
    const window: OpenWindow = {
      id,
      slot,
      start,
      end,
      maxTimestamp: MAX_WATERMARK,
      cleanup: MAX_WATERMARK,
      contents: undefined,
      newest: MIN_WATERMARK,
      triggerState: undefined,
      eventTimers: [],
      processingTimers: [],
    };
    this.#byId[id] = window;
    if (id >= this.#next.length || slot >= this.#heads.length) this.#grow(id, slot);
    this.#next[id] = this.#heads[slot] as number;
    this.#heads[slot] = id;
    this.#slots.hold(slot);
    this.#size++;
    this.#bound(window, start, end);
    return window;
  }

  remove(window: OpenWindow): void {
    this.#dropTimers(window);
    const { id, slot } = window;
    const next = this.#next[id] as number;
    let before = this.#heads[slot] as number;
    if (before === id) this.#heads[slot] = next;
    else {
      while (this.#next[before] !== id) before = this.#next[before] as number;
      this.#next[before] = next;
    }
    this.#byId[id] = undefined;
    this.#freeIds.push(id);
    this.#slots.drop(slot);
    this.#size--;
  }

  /** Gives a window other bounds. All its timers go, but for a new one for its cleanup. */
  resize(window: OpenWindow, start: number, end: number): void {
    this.#dropTimers(window);
    this.#bound(window, start, end);
  }

  /** @throws MR_OPERATOR_FAILED when `time` is no time */
  addEventTimer(window: OpenWindow, time: number): void {
    checkTime(time);
    if (window.eventTimers.includes(time)) return;
    window.eventTimers.push(time);
    if (isCleanup(window, time)) return;
    const waits =
      this.#firedAt !== null &&
      (time <= this.#firedAt || (window.end === MAX_WATERMARK && time <= this.watermark));
    if (waits) this.#passed.push({ window, time });
    else this.#eventTimers.add(window.id, time);
  }

  deleteEventTimer(window: OpenWindow, time: number): void {
    if (forget(window.eventTimers, time) && !isCleanup(window, time))
      this.#eventTimers.delete(window.id, time);
  }

  /** @throws MR_OPERATOR_FAILED when `time` is no time */
  addProcessingTimer(window: OpenWindow, time: number): void {
    checkTime(time);
    if (window.processingTimers.includes(time)) return;
    window.processingTimers.push(time);
    if (this.#onClock && time <= this.#clock.now()) this.#passed.push({ window, time });
    else this.#processingTimers.add(window.id, time);
  }

  deleteProcessingTimer(window: OpenWindow, time: number): void {
    if (forget(window.processingTimers, time)) this.#processingTimers.delete(window.id, time);
  }

  /** The next timer that the watermark has reached, in order of time; call until null. */
  takeDue(): DueTimer | null {
    const due = this.#eventTimers.takeDue(this.watermark);
    if (due === null) {
      this.#firedAt = null;
      for (const { window, time } of this.#passed.splice(0))
        if (this.has(window) && window.eventTimers.includes(time)) this.#eventTimers.add(window.id, time);
      return null;
    }
    this.#firedAt = due.time;
    const window = this.#byId[due.slot] as OpenWindow;
    this.frozen?.before(window.slot);
    forget(window.eventTimers, due.time);
    return { window, time: due.time };
  }

  /** The next timer that the clock has reached, in order of time; call until null. */
  takeDueOnClock(): DueTimer | null {
    const due = this.#processingTimers.takeDue();
    this.#onClock = due !== null;
    if (due === null) {
      for (const { window, time } of this.#passed.splice(0))
        if (this.has(window) && window.processingTimers.includes(time))
          this.#processingTimers.add(window.id, time);
      return null;
    }
    const window = this.#byId[due.slot] as OpenWindow;
    this.frozen?.before(window.slot);
    forget(window.processingTimers, due.time);
    return { window, time: due.time };
  }

  forEach(visit: (window: OpenWindow) => void): void {
    for (const window of this.#byId) if (window !== undefined) visit(window);
  }

  /** The earliest time that a trigger waits for; event time goes first. */
  waiting(): Waiting | null {
    let until = Number.POSITIVE_INFINITY;
    let count = 0;
    this.forEach(({ eventTimers }) => {
      if (eventTimers.length > 0) count++;
      for (const time of eventTimers) until = Math.min(until, time);
    });
    if (count > 0) return { what: 'window', until, count };
    const next = this.#processingTimers.next;
    if (next === null) return null;
    return { what: 'processing-time timer', until: next, count: this.#processingTimers.size };
  }

  close(): void {
    this.#processingTimers.close();
  }

  #head(slot: number): number {
    return slot < this.#heads.length ? (this.#heads[slot] as number) : NONE;
  }

  #grow(id: number, slot: number): void {
    if (id >= this.#next.length) {
      const starts = new Float64Array(2 * id);
      starts.set(this.#starts);
      this.#starts = starts;
      this.#next = grown(this.#next, id);
    }
    if (slot >= this.#heads.length) this.#heads = grown(this.#heads, slot);
  }

  #bound(window: OpenWindow, start: number, end: number): void {
    window.start = start;
    this.#starts[window.id] = start;
    window.end = end;
    window.maxTimestamp = lastOf(end);
    window.cleanup = plusSaturating(window.maxTimestamp, this.#latenessMs);
    if (window.cleanup < MAX_WATERMARK) this.#eventTimers.add(window.id, window.cleanup);
  }

  #dropTimers(window: OpenWindow): void {
    for (const time of window.eventTimers) this.#eventTimers.delete(window.id, time);
    for (const time of window.processingTimers) this.#processingTimers.delete(window.id, time);
    if (window.cleanup < MAX_WATERMARK) this.#eventTimers.delete(window.id, window.cleanup);
    window.eventTimers.length = 0;
    window.processingTimers.length = 0;
  }
}

function grown(old: Int32Array, index: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(2 * index).fill(NONE, old.length);
  made.set(old);
  return made;
}

/** Last millisecond of a window that ends at `end`; a window without end has none before MAX_WATERMARK. */
function lastOf(end: number): number {
  return end === MAX_WATERMARK ? end : end - 1;
}

/** Whether the window's cleanup timer is for this time. */
function isCleanup(window: OpenWindow, time: number): boolean {
  return time === window.cleanup && time < MAX_WATERMARK;
}

/** True when it was there. */
function forget(times: number[], time: number): boolean {
  const at = times.indexOf(time);
  if (at >= 0) times.splice(at, 1);
  return at >= 0;
}

function checkTime(time: number): void {
  if (Number.isSafeInteger(time)) return;
  throw new MillraceError(
    'MR_OPERATOR_FAILED',
    `A trigger asked for a timer at ${time}, which is no time. Times are whole epoch ms.`,
  );
}
