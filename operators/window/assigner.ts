import { type Duration, durationMs, MillraceError } from '#engine';

/** Windows of one size, one after another. */
export interface TumblingWindows {
  readonly kind: 'tumbling';
  readonly sizeMs: number;
  readonly offsetMs: number;
}

/** Windows of one size that begin every `slideMs`: they overlap, or leave gaps where the slide is longer. */
export interface SlidingWindows {
  readonly kind: 'sliding';
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
}

/** A window of event time: `start ≤ t < end`, epoch ms. */
export interface TimeWindow {
  readonly start: number;
  readonly end: number;
}

/** A shift of the windows' alignment to the epoch: a duration, or below 0 milliseconds or text like `'-8h'`. */
export interface OffsetOption {
  readonly offset?: Duration;
}

/**
 * Windows of one size, one after another, aligned to the epoch plus `offset`.
 * @throws MR_CONFIG_INVALID when the size is below 1 ms, or the offset's magnitude is not smaller than the size.
 */
export function tumbling(size: Duration, options: OffsetOption = {}): TumblingWindows {
  const sizeMs = lengthMs(size, 'window size');
  return { kind: 'tumbling', sizeMs, offsetMs: checkedOffset(options.offset, sizeMs, 'size') };
}

/**
 * Windows of `size` that begin every `slide`, aligned to the epoch plus `offset`. A record is in each of the `size / slide`
 * windows that hold its time. A slide longer than the size leaves gaps: records between windows are in none.
 * @throws MR_CONFIG_INVALID when size or slide is below 1 ms, or the offset's magnitude is not smaller than the slide.
 */
export function sliding(size: Duration, slide: Duration, options: OffsetOption = {}): SlidingWindows {
  const sizeMs = lengthMs(size, 'window size');
  const slideMs = lengthMs(slide, 'window slide');
  return { kind: 'sliding', sizeMs, slideMs, offsetMs: checkedOffset(options.offset, slideMs, 'slide') };
}

/**
 * Start of the window that holds `time`; negative times round down. For sliding windows, with the slide for the size: of the last
 * window that begins at or before `time`. Source: Flink, TimeWindow.getWindowStartWithOffset.
 */
export function windowStart(time: number, offsetMs: number, sizeMs: number): number {
  const rest = (time - offsetMs) % sizeMs;
  return rest < 0 ? time - (rest + sizeMs) : time - rest;
}

/** Starts of the windows that hold `time`, latest first; none in a gap. Source: Flink, SlidingEventTimeWindows.assignWindows. */
export function slidingStarts(time: number, { sizeMs, slideMs, offsetMs }: SlidingWindows): number[] {
  const starts: number[] = [];
  for (let start = windowStart(time, offsetMs, slideMs); start > time - sizeMs; start -= slideMs)
    starts.push(start);
  return starts;
}

/**
 * The stretch around `time` in which every record is in the same windows: time is cut wherever a window begins or ends. Tumbling
 * windows are one pane each.
 */
export function paneBounds(time: number, windows: TumblingWindows | SlidingWindows): TimeWindow {
  const { sizeMs, offsetMs } = windows;
  const slideMs = windows.kind === 'sliding' ? windows.slideMs : sizeMs;
  const start = windowStart(time, offsetMs, slideMs);
  // Where windows end between two begins.
  const cut = start + (sizeMs % slideMs);
  if (cut === start) return { start, end: start + slideMs };
  return time < cut ? { start, end: cut } : { start: cut, end: start + slideMs };
}

function lengthMs(length: Duration, what: string): number {
  const ms = durationMs(length, what);
  if (ms < 1) throw new MillraceError('MR_CONFIG_INVALID', `A ${what} must be at least 1 ms.`);
  return ms;
}

function checkedOffset(offset: Duration = 0, lengthMs: number, of: 'size' | 'slide'): number {
  const isBack = typeof offset === 'number' ? offset < 0 : offset.startsWith('-');
  const forward = typeof offset === 'number' ? Math.abs(offset) : (offset.replace('-', '') as Duration);
  const magnitude = durationMs(forward, 'window offset');
  if (magnitude >= lengthMs)
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The window offset ${isBack ? '-' : ''}${magnitude} ms must be smaller than the ${of}, ${lengthMs} ms.`,
    );
  return isBack && magnitude > 0 ? -magnitude : magnitude;
}
