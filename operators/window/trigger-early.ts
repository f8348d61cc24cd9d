import type { Duration } from '#engine';
import { defineTrigger, positive, type Trigger, type TriggerContext, type TriggerResult } from './trigger.ts';
import { boundaryAfter, earliest, periodMs } from './trigger-continuous.ts';

/** When {@link emitEarly} gives results before the window has ended. */
type EarlyFirings =
  | {
      /** At multiples of this, when records have come since the last result. */
      readonly every: Duration;
      readonly on: 'event-time' | 'processing-time';
    }
  | {
      /** After this many records since the last result. */
      readonly everyRecords: number;
    };

export type EmitEarlyOptions = EarlyFirings & {
  /**
   * Results for records that come after the window's end, within the allowed lateness: with each record (default), or gathered until
   * the clock's next multiple of `every`, at the latest until the window's cleanup.
   */
  readonly late?: 'each' | { readonly every: Duration };
  /** Whether each result is of everything so far, replacing the one before, or only of what came since. */
  readonly mode: 'accumulate' | 'discard';
};

interface EarlyState {
  /** Records that no result has shown. */
  unseen: number;
  /** Armed timers of the next early and the next late result. */
  early: number | null;
  late: number | null;
}

/**
 * Results before the window's end, one at its end, and more for late records: `tumbling('1h')` with
 * `emitEarly({ every: '10s', on: 'processing-time', mode: 'accumulate' })` shows an hour while it fills. No result repeats the one
 * before it, but for the one at the window's end.
 * @throws MR_CONFIG_INVALID when a period is below 1 ms or `everyRecords` is no whole number above 0
 */
export function emitEarly(options: EmitEarlyOptions): Trigger<unknown> {
  const { arm, name } = 'every' in options ? armByTime(options) : armNever(options);
  const records =
    'everyRecords' in options
      ? positive(options.everyRecords, 'emitEarly everyRecords')
      : Number.POSITIVE_INFINITY;
  const lateMs = typeof options.late === 'object' ? periodMs(options.late.every, 'emitEarly late') : null;
  const fire = (state: EarlyState): TriggerResult => {
    if (state.unseen === 0) return 'continue';
    return fireAnyway(state);
  };
  const fireAnyway = (state: EarlyState): TriggerResult => {
    state.unseen = 0;
    return options.mode === 'discard' ? 'fire-and-purge' : 'fire';
  };
  return defineTrigger({
    name: `emit-early(${name}, ${lateMs === null ? 'each' : lateMs}, ${options.mode})`,
    state: (): EarlyState => ({ unseen: 0, early: null, late: null }),
    onRecord(_record, time, context) {
      const { state, maxTimestamp, timers } = context;
      state.unseen++;
      if (maxTimestamp <= context.watermark) {
        if (lateMs === null) return fire(state);
        if (state.late === null) {
          state.late = boundaryAfter(context.processingTime, lateMs);
          timers.atProcessingTime(state.late);
        }
        return 'continue';
      }
      timers.atEventTime(maxTimestamp);
      if (state.unseen >= records) return fire(state);
      if (state.early === null) arm(time, context);
      return 'continue';
    },
    onEventTime(time, { state, maxTimestamp, watermark, timers }) {
      if (time === maxTimestamp) {
        if (state.early !== null) {
          timers.deleteEventTime(state.early);
          timers.deleteProcessingTime(state.early);
          state.early = null;
        }
        return fireAnyway(state);
      }
      // Later than the end there is only the cleanup, the last chance of what was gathered.
      if (time > maxTimestamp) return fire(state);
      if (time !== state.early) return 'continue';
      state.early = null;
      // At or beyond the end the result on time comes with this same watermark.
      return watermark >= maxTimestamp ? 'continue' : fire(state);
    },
    onProcessingTime(time, { state }) {
      if (time === state.early) state.early = null;
      else if (time === state.late) state.late = null;
      else return 'continue';
      return fire(state);
    },
    onMerge(states, { state, maxTimestamp, watermark, timers }) {
      state.unseen = states.reduce((sum, { unseen }) => sum + unseen, 0);
      state.early = earliest(states.map(({ early }) => early));
      state.late = earliest(states.map(({ late }) => late));
      if (maxTimestamp > watermark) timers.atEventTime(maxTimestamp);
      if (state.late !== null) timers.atProcessingTime(state.late);
      if (state.early === null) return;
      if ('on' in options && options.on === 'event-time') timers.atEventTime(state.early);
      else timers.atProcessingTime(state.early);
    },
  });
}

type Arm = (time: number, context: TriggerContext<EarlyState>) => void;

function armByTime({ every, on }: Extract<EarlyFirings, { on: unknown }>): { arm: Arm; name: string } {
  const everyMs = periodMs(every, 'emitEarly');
  return {
    name: `${everyMs} ${on}`,
    arm(time, { state, maxTimestamp, watermark, processingTime, timers }) {
      if (on === 'processing-time') {
        state.early = boundaryAfter(processingTime, everyMs);
        timers.atProcessingTime(state.early);
        return;
      }
      const next = boundaryAfter(Math.max(time, watermark), everyMs);
      if (next >= maxTimestamp) return;
      state.early = next;
      timers.atEventTime(next);
    },
  };
}

function armNever({ everyRecords }: Extract<EarlyFirings, { everyRecords: unknown }>): {
  arm: Arm;
  name: string;
} {
  return { name: `${everyRecords} records`, arm: () => {} };
}
