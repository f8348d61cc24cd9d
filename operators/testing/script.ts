import { type Duration, durationMs } from '#engine';
import type { Schema } from '#wire';

/** What a scripted source does beside giving records. */
export type Marker =
  | { readonly marker: 'watermark'; readonly time: number }
  | { readonly marker: 'idle' }
  | { readonly marker: 'crash' }
  | { readonly marker: 'pause'; readonly ms: number }
  | { readonly marker: 'barrier' };

/** Told by identity: a record may have a field of any name. */
const markers = new WeakSet();

function marker(made: Marker): Marker {
  markers.add(made);
  return made;
}

/** Event time has reached `time` (epoch ms): no record at or before it is on time any more. */
export const watermark = (time: number): Marker => marker({ marker: 'watermark', time });
/** The source has nothing for a while; the next element ends it. */
export const idle = (): Marker => marker({ marker: 'idle' });
/** The job dies without a word and starts again from its latest checkpoint. Happens once, also when the script is replayed. */
export const crash = (): Marker => marker({ marker: 'crash' });
/** The wall clock moves on: processing-time timers, timeouts and TTLs see it. */
export const pause = (duration: Duration): Marker =>
  marker({ marker: 'pause', ms: durationMs(duration, 'pause') });
/** A checkpoint: what a later crash falls back to, and what exactly-once sinks show. */
export const barrier = (): Marker => marker({ marker: 'barrier' });

/** What one source of a job under test gives, in order. */
export interface TestInput<out T = unknown> {
  readonly elements: readonly (T | Marker)[];
  /** Event time of a record, epoch ms. */
  readonly timeOf: (record: unknown) => number;
  /** Records go through its codec, as those of a real source do; null: they are passed as they are. */
  readonly schema: Schema<T> | null;
  /** Whether time follows the records, as the source's settings say, or the markers alone. */
  readonly watermarks: 'from-records' | 'from-markers';
}

export interface TestInputOptions {
  /** Default `'from-records'`: after each record the newest time less the source's `outOfOrderness`, less 1 ms. */
  readonly watermarks?: TestInput['watermarks'];
}

/**
 * Records and markers of one source. Records are those of a schema, which also gives their time; or any, with a function that
 * gives it.
 * @example
 * input(Reading, [{ at: 1_000, device: 'a' }, watermark(5_000), crash(), { at: 6_000, device: 'b' }])
 */
export function input<T>(
  records: Schema<T> | ((record: T) => number),
  elements: readonly (NoInfer<T> | Marker)[],
  { watermarks = 'from-records' }: TestInputOptions = {},
): TestInput<T> {
  if (typeof records === 'function')
    return { elements, timeOf: records as (record: unknown) => number, schema: null, watermarks };
  const field = records.fields[records.timeIndex]?.name as string;
  const timeOf = (record: unknown) => (record as Readonly<Record<string, number>>)[field] as number;
  return { elements, timeOf, schema: records, watermarks };
}

export function isMarker(element: unknown): element is Marker {
  return typeof element === 'object' && element !== null && markers.has(element);
}
