import type { JobHandle, Sink } from '#engine';
import { count, defineJob, type JobDefinition, type JobSettings, partitionLog, tumbling } from '#operators';
import { timeSeries } from '#sinks';
import { eventTime, i32, type Infer, schema, string } from '#wire';
import { Reading } from './outcome-reading.ts';

export const WINDOW_MS = 10_000;
export const LIVE = 'outcome_counts';
export const IN = partitionLog('in', Reading, { partitions: 1 });

/** Records counted per device and window. */
export const Count = schema('outcome-count', { start: eventTime(1), device: string(2), n: i32(3) });
export type Count = Infer<typeof Count>;

/** Quick to notice, quick to try again. */
export const QUICK = {
  guarantee: 'exactly-once',
  checkpointInterval: '100ms',
  restart: { first: '50ms', max: '200ms' },
} as const satisfies JobSettings<'exactly-once'>;

/** Copies `in` to `out`, or to another sink. */
export function copyJob(
  name: string,
  settings: Partial<JobSettings<'exactly-once'>> = {},
  sink: Sink<Reading, 'exactly-once'> = partitionLog('out', Reading),
): JobDefinition {
  return defineJob(name, { ...QUICK, ...settings }, (job) => job.source('readings', IN).to('out', sink));
}

/** Counts per device into `counts` and the live series; `id` names the windows' state. */
export function countJob(
  name: string,
  settings: Partial<JobSettings<'exactly-once'>> = {},
  id = 'per-device',
): JobDefinition {
  return defineJob(name, { ...QUICK, ...settings }, (job) => {
    const counts = job
      .source('readings', IN, { idleAfter: '500ms' })
      .keyBy('device')
      .window(tumbling(WINDOW_MS))
      .aggregate(id, { n: count() });
    counts
      .map(({ key, window, value }) => ({ start: window.start, device: key.device, n: value.n }))
      .to('counts', partitionLog('counts', Count));
    counts.to('live', timeSeries(LIVE), { accept: 'idempotent' });
    counts.side.late.to('late', partitionLog('late', Reading));
  });
}

export function recordsRead(handle: JobHandle): number {
  return handle.status().sources.reduce((n, source) => n + source.recordsRead, 0);
}

/** Values in ascending order: with one value per record, any loss or repetition shows. */
export function values(rows: readonly Reading[]): readonly number[] {
  return rows.map(({ value }) => value).sort((a, b) => a - b);
}

export function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
