/** Before any watermark. Exact as a number, unlike a 64-bit minimum; JSON keeps it. */
export const MIN_WATERMARK = Number.MIN_SAFE_INTEGER;
/** End of a bounded input: fires every remaining event-time timer and window. */
export const MAX_WATERMARK = Number.MAX_SAFE_INTEGER;

/** `time − delay`, without leaving the range of watermarks. */
export function minusSaturating(time: number, delay: number): number {
  return Math.max(MIN_WATERMARK, time - delay);
}

/** `time + delay`, without leaving the range of watermarks. */
export function plusSaturating(time: number, delay: number): number {
  return Math.min(MAX_WATERMARK, time + delay);
}
