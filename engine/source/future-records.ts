import type { SourceContext } from '../runtime/source.ts';
import type { Batch } from '../wire/batch.ts';
import { rowReader } from '../wire/row-reader.ts';

/** What of a batch enters the job. */
export interface AdmittedRecords {
  /** Indexes that do, or null when all do. */
  readonly selection: Uint16Array | null;
  /** Newest of their event times; −Infinity when none does. */
  readonly newestMs: number;
}

/**
 * Sends records from further ahead than the source's `maxAheadMs` to dead letters: one device with a wrong clock must not make
 * everybody else late.
 * @param newestMs newest event time of the batch
 */
export function admitRecords(batch: Batch, newestMs: number, context: SourceContext): AdmittedRecords {
  const limitMs = context.clock.now() + context.options.maxAheadMs;
  if (newestMs <= limitMs) return { selection: null, newestMs };
  const selection: number[] = [];
  const read = rowReader(batch.schema);
  let admittedMs = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < batch.count; i++) {
    const time = batch.times[i] as number;
    if (time <= limitMs) {
      selection.push(i);
      if (time > admittedMs) admittedMs = time;
    } else context.deadLetter(read(batch, i), 'future-timestamp', time);
  }
  return { selection: Uint16Array.from(selection), newestMs: admittedMs };
}
