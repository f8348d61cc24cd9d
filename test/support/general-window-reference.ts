import { MAX_WATERMARK, MIN_WATERMARK } from '#engine';
import { text } from './window-reference.ts';

/** A trigger by name; what it does is written down in {@link GeneralWindowReference} once more. */
export type ReferenceTrigger =
  | { readonly kind: 'event-time' }
  | { readonly kind: 'processing-time' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'continuous-event-time'; readonly everyMs: number }
  | { readonly kind: 'continuous-processing-time'; readonly everyMs: number }
  | {
      readonly kind: 'early';
      readonly everyMs: number;
      readonly on: 'event-time' | 'processing-time';
      readonly lateMs: number | null;
      readonly mode: 'accumulate' | 'discard';
    }
  | { readonly kind: 'early-count'; readonly count: number; readonly mode: 'accumulate' | 'discard' };

export interface GeneralReferenceSpec<Row> {
  readonly windowsOf: (row: Row, time: number) => readonly (readonly [start: number, end: number])[];
  readonly merges: boolean;
  readonly trigger: ReferenceTrigger;
  readonly purging: boolean;
  readonly latenessMs: number;
  readonly keyOf: (row: Row) => unknown;
  /** The value of a window from its rows. */
  readonly value: (rows: readonly Row[]) => unknown;
  /** Rows that the aggregate itself refuses. */
  readonly refuses: (row: Row) => boolean;
  readonly now: () => number;
}

interface Timer {
  readonly clock: 'event' | 'processing';
  readonly time: number;
}

interface Window<Row> {
  readonly key: unknown;
  start: number;
  end: number;
  rows: { readonly row: Row; readonly time: number }[];
  /** Records counted since the trigger last fired, and the times it has armed. */
  counted: number;
  next: number | null;
  late: number | null;
  timers: Timer[];
}

/** What made a trigger look. */
type Cause = { readonly kind: 'record' | 'event' | 'processing'; readonly time: number };

/** General windows as one would explain them: all rows are kept, each timer is looked for among all, nothing is incremental. */
export class GeneralWindowReference<Row> {
  readonly #spec: GeneralReferenceSpec<Row>;
  #windows: Window<Row>[] = [];
  #watermark = MIN_WATERMARK;
  #handedOn = MIN_WATERMARK;
  #results: string[] = [];
  #late: string[] = [];
  #errors: string[] = [];

  constructor(spec: GeneralReferenceSpec<Row>) {
    this.#spec = spec;
  }

  record(row: Row, time: number): void {
    try {
      this.#place(row, time);
    } catch (error) {
      this.#errors.push(text([(error as Error).message, row, time]));
    }
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#watermark = time;
    for (;;) {
      const due = this.#windows
        .flatMap((window) =>
          [...eventTimes(window), this.#cleanup(window)].map((at) => ({ window, time: at })),
        )
        .filter((it) => it.time <= time && (it.time < MAX_WATERMARK || eventTimes(it.window).length > 0))
        .sort((a, b) => a.time - b.time)[0];
      if (due === undefined) break;
      this.#drop(due.window, 'event', due.time);
      this.#decide(due.window, { kind: 'event', time: due.time });
      if (due.time === this.#cleanup(due.window))
        this.#windows = this.#windows.filter((it) => it !== due.window);
    }
    this.#handedOn = time;
  }

  poll(): void {
    const now = this.#spec.now();
    for (;;) {
      const due = this.#windows
        .flatMap((window) => window.timers.map((timer) => ({ window, ...timer })))
        .filter((it) => it.clock === 'processing' && it.time <= now)
        .sort((a, b) => a.time - b.time)[0];
      if (due === undefined) return;
      this.#drop(due.window, 'processing', due.time);
      this.#decide(due.window, { kind: 'processing', time: due.time });
    }
  }

  /** Everything said since the last call. */
  take(): { readonly results: string[]; readonly late: string[]; readonly errors: string[] } {
    const said = { results: this.#results.sort(), late: this.#late.sort(), errors: this.#errors.sort() };
    this.#results = [];
    this.#late = [];
    this.#errors = [];
    return said;
  }

  #place(row: Row, time: number): void {
    const { windowsOf, merges, keyOf, refuses, latenessMs } = this.#spec;
    const key = keyOf(row);
    if (key === null) throw new Error('no key');
    let isPlaced = false;
    for (const [start, end] of windowsOf(row, time)) {
      const mine = this.#windows.filter((it) => text(it.key) === text(key));
      const joined = merges
        ? mine.filter((it) => it.start <= end && it.end >= start).sort((a, b) => a.start - b.start)
        : mine.filter((it) => it.start === start);
      const from = Math.min(start, ...joined.map((it) => it.start));
      const to = Math.max(end, ...joined.map((it) => it.end));
      if (saturated(last(to) + latenessMs) <= this.#watermark) continue;
      isPlaced = true;
      if (refuses(row)) throw new Error('refused');
      const window = this.#joint(key, from, to, joined);
      window.rows.push({ row, time });
      this.#decide(window, { kind: 'record', time });
    }
    if (!isPlaced && time + latenessMs <= this.#watermark) this.#late.push(text([row, time]));
  }

  /** The one window that takes the record. */
  #joint(key: unknown, start: number, end: number, joined: readonly Window<Row>[]): Window<Row> {
    const [only] = joined;
    if (joined.length === 1 && only?.start === start && only.end === end) return only;
    const nulls = (times: readonly (number | null)[]) => times.filter((it) => it !== null);
    const earliest = (times: readonly (number | null)[]) =>
      nulls(times).length === 0 ? null : Math.min(...nulls(times));
    const window: Window<Row> = {
      key,
      start,
      end,
      rows: joined.flatMap((it) => it.rows),
      counted: joined.reduce((sum, it) => sum + it.counted, 0),
      next: earliest(joined.map((it) => it.next)),
      late: earliest(joined.map((it) => it.late)),
      timers: [],
    };
    this.#windows = [...this.#windows.filter((it) => !joined.includes(it)), window];
    if (joined.length > 0) this.#onMerge(window);
    return window;
  }

  #onMerge(window: Window<Row>): void {
    const { trigger, now } = this.#spec;
    const end = last(window.end);
    const ends = trigger.kind === 'event-time' || trigger.kind === 'early' || trigger.kind === 'early-count';
    if (ends && end > this.#watermark) add(window, 'event', end);
    if (trigger.kind === 'processing-time' && end > now()) add(window, 'processing', end);
    const onEvents =
      trigger.kind === 'continuous-event-time' || (trigger.kind === 'early' && trigger.on === 'event-time');
    if (window.next !== null) add(window, onEvents ? 'event' : 'processing', window.next);
    if (window.late !== null) add(window, 'processing', window.late);
  }

  #decide(window: Window<Row>, cause: Cause): void {
    const decision = this.#ask(window, cause);
    if (decision === 'continue') return;
    if (window.rows.length > 0) this.#give(window);
    if (decision === 'discard' || this.#spec.purging) window.rows = [];
  }

  #ask(window: Window<Row>, cause: Cause): 'continue' | 'fire' | 'discard' {
    const { trigger } = this.#spec;
    const end = last(window.end);
    const isPast = end <= this.#watermark;
    switch (trigger.kind) {
      case 'event-time':
        if (cause.kind === 'record') {
          if (isPast) return 'fire';
          add(window, 'event', end);
        }
        return cause.kind === 'event' && cause.time === end ? 'fire' : 'continue';
      case 'processing-time':
        if (cause.kind === 'record' && end < MAX_WATERMARK) add(window, 'processing', end);
        return cause.kind === 'processing' ? 'fire' : 'continue';
      case 'count':
        if (cause.kind !== 'record' || ++window.counted < trigger.count) return 'continue';
        window.counted = 0;
        return 'fire';
      case 'continuous-event-time':
        if (cause.kind === 'record') {
          if (isPast) return 'fire';
          add(window, 'event', end);
          if (window.next === null)
            this.#arm(window, 'event', Math.min(after(cause.time, trigger.everyMs), end));
          return 'continue';
        }
        if (cause.time === end) return 'fire';
        if (cause.time !== window.next || isPast) return 'continue';
        this.#arm(window, 'event', Math.min(after(this.#watermark, trigger.everyMs), end));
        return 'fire';
      case 'continuous-processing-time':
        if (cause.kind === 'record' && window.next !== null) return 'continue';
        if (cause.kind === 'event' || (cause.kind === 'processing' && cause.time !== window.next))
          return 'continue';
        this.#arm(window, 'processing', after(this.#spec.now(), trigger.everyMs));
        return cause.kind === 'record' ? 'continue' : 'fire';
      case 'early':
      case 'early-count':
        return this.#askEarly(window, cause, trigger);
    }
  }

  #askEarly(
    window: Window<Row>,
    cause: Cause,
    trigger: Extract<ReferenceTrigger, { kind: 'early' | 'early-count' }>,
  ): 'continue' | 'fire' | 'discard' {
    const end = last(window.end);
    const give = trigger.mode === 'discard' ? 'discard' : 'fire';
    const giveNew = () => {
      const isNew = window.counted > 0;
      window.counted = 0;
      return isNew ? give : 'continue';
    };
    if (cause.kind === 'record') {
      window.counted++;
      if (end <= this.#watermark) {
        if (trigger.kind === 'early-count' || trigger.lateMs === null) return giveNew();
        window.late ??= after(this.#spec.now(), trigger.lateMs);
        add(window, 'processing', window.late);
        return 'continue';
      }
      add(window, 'event', end);
      if (trigger.kind === 'early-count') return window.counted >= trigger.count ? giveNew() : 'continue';
      if (window.next !== null) return 'continue';
      if (trigger.on === 'processing-time')
        this.#arm(window, 'processing', after(this.#spec.now(), trigger.everyMs));
      else {
        const next = after(Math.max(cause.time, this.#watermark), trigger.everyMs);
        if (next < end) this.#arm(window, 'event', next);
      }
      return 'continue';
    }
    if (cause.kind === 'event' && cause.time === end) {
      window.timers = window.timers.filter((it) => it.time !== window.next);
      window.next = null;
      window.counted = 0;
      return give;
    }
    if (cause.kind === 'event' && cause.time > end) return giveNew();
    if (cause.time === window.next) {
      window.next = null;
      return cause.kind === 'event' && end <= this.#watermark ? 'continue' : giveNew();
    }
    if (cause.kind !== 'processing' || cause.time !== window.late) return 'continue';
    window.late = null;
    return giveNew();
  }

  #arm(window: Window<Row>, clock: Timer['clock'], time: number): void {
    window.next = time;
    add(window, clock, time);
  }

  #drop(window: Window<Row>, clock: Timer['clock'], time: number): void {
    window.timers = window.timers.filter((it) => it.clock !== clock || it.time !== time);
  }

  #give({ key, start, end, rows }: Window<Row>): void {
    const newest = Math.max(...rows.map((it) => it.time));
    const time = end === MAX_WATERMARK ? Math.max(newest, saturated(this.#handedOn + 1)) : last(end);
    const named = { key, window: { start, end } };
    try {
      const value = this.#spec.value(rows.map((it) => it.row));
      this.#results.push(text([{ ...named, value }, time]));
    } catch (error) {
      this.#errors.push(text([(error as Error).message, named, time]));
    }
  }

  #cleanup(window: Window<Row>): number {
    return saturated(last(window.end) + this.#spec.latenessMs);
  }
}

function eventTimes<Row>(window: Window<Row>): number[] {
  return window.timers.filter((it) => it.clock === 'event').map((it) => it.time);
}

function add<Row>(window: Window<Row>, clock: Timer['clock'], time: number): void {
  if (!window.timers.some((it) => it.clock === clock && it.time === time))
    window.timers.push({ clock, time });
}

function last(end: number): number {
  return end === MAX_WATERMARK ? end : end - 1;
}

function saturated(time: number): number {
  return Math.min(MAX_WATERMARK, time);
}

function after(time: number, everyMs: number): number {
  return Math.ceil((time + 1) / everyMs) * everyMs;
}
