import { MAX_WATERMARK, MillraceError } from '#engine';
import type { TimeWindow } from './assigner.ts';

/**
 * What a trigger decides about a window's contents: nothing; give their result and keep them; forget them; give their result and
 * forget them. A window without contents gives no result.
 */
export type TriggerResult = 'continue' | 'fire' | 'purge' | 'fire-and-purge';

/** A window's timers, deduplicated per time. They go when the window is cleaned up or merged into another. */
export interface TriggerTimers {
  /** Calls `onEventTime` when the watermark reaches `time` (epoch ms); with the next watermark when that has passed. */
  readonly atEventTime: (time: number) => void;
  /** Calls `onProcessingTime` when the clock reaches `time` (epoch ms), soon when that has passed. */
  readonly atProcessingTime: (time: number) => void;
  readonly deleteEventTime: (time: number) => void;
  readonly deleteProcessingTime: (time: number) => void;
}

/** One window of one key, as its trigger sees it. Valid during the call only. */
export interface TriggerContext<S> {
  /** Of a global window `{ start: MIN_WATERMARK, end: MAX_WATERMARK }`. */
  readonly window: TimeWindow;
  /** The window's last millisecond, `end − 1`; MAX_WATERMARK of a global window. */
  readonly maxTimestamp: number;
  /** The watermark that has been reached, epoch ms. */
  readonly watermark: number;
  /** The clock, epoch ms. */
  readonly processingTime: number;
  /**
   * This window's trigger state, at first what `state()` of the definition gives: plain data, to be assigned or changed in place. A
   * purge leaves it alone.
   */
  state: S;
  /** Forgets the state; what `state()` gives is in its place. */
  readonly resetState: () => void;
  readonly timers: TriggerTimers;
}

/** When a window gives its result, and what becomes of its contents: a value shared by all windows. `T` is the record it may look at. */
export interface Trigger<in T> {
  /** In errors and snapshots; state of a trigger of another name is refused. */
  readonly name: string;
  readonly state: () => unknown;
  readonly onRecord: (record: T, time: number, context: never) => TriggerResult;
  readonly onEventTime: ((time: number, context: never) => TriggerResult) | null;
  readonly onProcessingTime: ((time: number, context: never) => TriggerResult) | null;
  /** Null for a trigger that cannot follow windows that merge, as sessions do. */
  readonly onMerge: ((states: never, context: never) => void) | null;
}

/** What {@link defineTrigger} takes. All functions are synchronous and plain. */
export interface TriggerDefinition<T, S> {
  readonly name: string;
  /** Fresh state of a window. */
  readonly state?: () => S;
  /** After a record was added to the window's contents. `time` is its event time. */
  readonly onRecord: (record: T, time: number, context: TriggerContext<S>) => TriggerResult;
  /**
   * At a time that was asked for, and once at the window's cleanup (`maxTimestamp` plus allowed lateness), just before everything of
   * it is dropped. Default: continue.
   */
  readonly onEventTime?: (time: number, context: TriggerContext<S>) => TriggerResult;
  /** At a time that was asked for. Default: continue. */
  readonly onProcessingTime?: (time: number, context: TriggerContext<S>) => TriggerResult;
  /**
   * When windows have become one, before the record that joined them is added. `context` is the joint window with fresh state;
   * `states` are those that its parts had, earliest window first. Timers of the parts are gone: set those that are still wanted.
   * Needed for session windows.
   */
  readonly onMerge?: (states: readonly S[], context: TriggerContext<S>) => void;
}

/**
 * Defines a trigger. State and timers belong to one key and window, are part of snapshots, and are dropped with the window: there is
 * nothing to clean up.
 * @example
 * const onAlarm = defineTrigger({
 *   name: 'on-alarm',
 *   state: () => ({ alarms: 0 }),
 *   onRecord(reading: Reading, _time, { state, maxTimestamp, timers }) {
 *     timers.atEventTime(maxTimestamp);
 *     return reading.status === 'alarm' && ++state.alarms === 3 ? 'fire' : 'continue';
 *   },
 *   onEventTime: (time, { maxTimestamp }) => (time === maxTimestamp ? 'fire' : 'continue'),
 * });
 */
export function defineTrigger<T = unknown, S = null>(definition: TriggerDefinition<T, S>): Trigger<T> {
  const { name, state, onRecord, onEventTime, onProcessingTime, onMerge } = definition;
  return {
    name,
    state: state ?? (() => null),
    onRecord: onRecord as Trigger<T>['onRecord'],
    onEventTime: (onEventTime ?? null) as Trigger<T>['onEventTime'],
    onProcessingTime: (onProcessingTime ?? null) as Trigger<T>['onProcessingTime'],
    onMerge: (onMerge ?? null) as Trigger<T>['onMerge'],
  };
}

/**
 * The result when the watermark reaches the window's last millisecond, and again at once for each record that comes later, within
 * the allowed lateness. The default of time windows. On a global window: at the end of a bounded input.
 */
export function onEventTime(): Trigger<unknown> {
  return defineTrigger({
    name: 'event-time',
    onRecord(_record, _time, { maxTimestamp, watermark, timers }) {
      if (maxTimestamp <= watermark) return 'fire';
      timers.atEventTime(maxTimestamp);
      return 'continue';
    },
    onEventTime: (time, { maxTimestamp }) => (time === maxTimestamp ? 'fire' : 'continue'),
    onMerge(_states, { maxTimestamp, watermark, timers }) {
      if (maxTimestamp > watermark) timers.atEventTime(maxTimestamp);
    },
  });
}

/**
 * The result when the clock passes the window's last millisecond, and again, in the next turn, after records that come later. The
 * window's cleanup stays in event time. Never fires a global window.
 */
export function onProcessingTime(): Trigger<unknown> {
  return defineTrigger({
    name: 'processing-time',
    onRecord(_record, _time, { maxTimestamp, timers }) {
      if (maxTimestamp < MAX_WATERMARK) timers.atProcessingTime(maxTimestamp);
      return 'continue';
    },
    onProcessingTime: () => 'fire',
    onMerge(_states, context) {
      if (context.maxTimestamp > context.processingTime)
        context.timers.atProcessingTime(context.maxTimestamp);
    },
  });
}

/**
 * The result with every `count`th record of the window. Contents are kept: wrap it in {@link purging} to start afresh each time.
 * Windows that merge add up their counts. Nothing is given for the rest when the window ends.
 * @throws MR_CONFIG_INVALID when `count` is no whole number above 0
 */
export function onCount(count: number): Trigger<unknown> {
  return defineTrigger({
    name: `on-count(${positive(count, 'onCount')})`,
    state: () => 0,
    onRecord(_record, _time, context) {
      const seen = context.state + 1;
      if (seen < count) context.state = seen;
      else context.resetState();
      return seen < count ? 'continue' : 'fire';
    },
    onMerge(states, context) {
      if (states.length > 0) context.state = states.reduce((sum, state) => sum + state, 0);
    },
  });
}

/** The same trigger, forgetting the window's contents whenever it fires: each result is of what came since the one before. */
export function purging<T>(trigger: Trigger<T>): Trigger<T> {
  const { onEventTime, onProcessingTime } = trigger;
  const purged = (result: TriggerResult): TriggerResult => (result === 'fire' ? 'fire-and-purge' : result);
  return {
    ...trigger,
    name: `purging(${trigger.name})`,
    onRecord: (record, time, context) => purged(trigger.onRecord(record, time, context)),
    onEventTime: onEventTime && ((time, context) => purged(onEventTime(time, context))),
    onProcessingTime: onProcessingTime && ((time, context) => purged(onProcessingTime(time, context))),
  };
}

/** @throws MR_CONFIG_INVALID when `count` is no whole number above 0 */
export function positive(count: number, what: string): number {
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new MillraceError('MR_CONFIG_INVALID', `${what} needs a whole number above 0, got ${count}.`);
}
