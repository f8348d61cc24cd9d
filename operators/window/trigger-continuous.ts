import { type Duration, durationMs, MillraceError } from '#engine';
import { defineTrigger, type Trigger } from './trigger.ts';

/**
 * Every `every` of event time (at multiples of it) while the window has contents, at its end, and again for each record within the
 * allowed lateness. A watermark that passes several of these times at once gives one result for all of them.
 * @throws MR_CONFIG_INVALID when `every` is below 1 ms
 */
export function continuousEventTime(every: Duration): Trigger<unknown> {
  const everyMs = periodMs(every, 'continuousEventTime');
  return defineTrigger({
    name: `continuous-event-time(${everyMs})`,
    state: (): number | null => null,
    onRecord(_record, time, context) {
      const { maxTimestamp, timers } = context;
      if (maxTimestamp <= context.watermark) return 'fire';
      timers.atEventTime(maxTimestamp);
      if (context.state === null) {
        context.state = Math.min(boundaryAfter(time, everyMs), maxTimestamp);
        timers.atEventTime(context.state);
      }
      return 'continue';
    },
    onEventTime(time, context) {
      const { maxTimestamp, watermark } = context;
      if (time === maxTimestamp) return 'fire';
      // At or beyond the end the last firing comes with this same watermark.
      if (time !== context.state || watermark >= maxTimestamp) return 'continue';
      context.state = Math.min(boundaryAfter(watermark, everyMs), maxTimestamp);
      context.timers.atEventTime(context.state);
      return 'fire';
    },
    onMerge(states, context) {
      const next = earliest(states);
      if (next === null) return;
      context.state = next;
      context.timers.atEventTime(next);
    },
  });
}

/**
 * Every `every` on the clock (at multiples of it) from the window's first record until its cleanup, which stays in event time. Gives
 * no result at the window's end: what came after the last firing is not seen. `emitEarly` sees to that. Times that passed while the job
 * was down give one result.
 * @throws MR_CONFIG_INVALID when `every` is below 1 ms
 */
export function continuousProcessingTime(every: Duration): Trigger<unknown> {
  const everyMs = periodMs(every, 'continuousProcessingTime');
  return defineTrigger({
    name: `continuous-processing-time(${everyMs})`,
    state: (): number | null => null,
    onRecord(_record, _time, context) {
      if (context.state === null) {
        context.state = boundaryAfter(context.processingTime, everyMs);
        context.timers.atProcessingTime(context.state);
      }
      return 'continue';
    },
    onProcessingTime(time, context) {
      if (time !== context.state) return 'continue';
      context.state = boundaryAfter(context.processingTime, everyMs);
      context.timers.atProcessingTime(context.state);
      return 'fire';
    },
    onMerge(states, context) {
      const next = earliest(states);
      if (next === null) return;
      context.state = next;
      context.timers.atProcessingTime(next);
    },
  });
}

/** The first multiple of `everyMs` after `time`; times may be negative. */
export function boundaryAfter(time: number, everyMs: number): number {
  return (Math.floor(time / everyMs) + 1) * everyMs;
}

export function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}

/** @throws MR_CONFIG_INVALID when it is below 1 ms */
export function periodMs(every: Duration, what: string): number {
  const everyMs = durationMs(every, `${what} period`);
  if (everyMs < 1) throw new MillraceError('MR_CONFIG_INVALID', `${what} needs a period of at least 1 ms.`);
  return everyMs;
}
