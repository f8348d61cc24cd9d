import { type Duration, durationMs, MillraceError } from '#engine';

/** Which window a time belongs to. Only tumbling windows here. */
export interface TumblingWindows {
  readonly kind: 'tumbling';
  readonly sizeMs: number;
  readonly offsetMs: number;
}

/** A window of event time: `start ≤ t < end`, epoch ms. */
export interface TimeWindow {
  readonly start: number;
  readonly end: number;
}

/**
 * Windows of one size, one after another, aligned to the epoch plus `offset`.
 * @throws MR_CONFIG_INVALID when the size is below 1 ms, or the offset is not smaller than the size.
 */
export function tumbling(size: Duration, options: { readonly offset?: Duration } = {}): TumblingWindows {
  const sizeMs = durationMs(size, 'window size');
  const offsetMs = durationMs(options.offset ?? 0, 'window offset');
  if (sizeMs < 1) throw new MillraceError('MR_CONFIG_INVALID', 'A window must be at least 1 ms long.');
  if (offsetMs >= sizeMs)
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The window offset ${offsetMs} ms must be smaller than its size ${sizeMs} ms.`,
    );
  return { kind: 'tumbling', sizeMs, offsetMs };
}

/** Start of the window that holds `time`; negative times round down. Source: Flink, TimeWindow.getWindowStartWithOffset. */
export function windowStart(time: number, offsetMs: number, sizeMs: number): number {
  const rest = (time - offsetMs) % sizeMs;
  return rest < 0 ? time - (rest + sizeMs) : time - rest;
}
