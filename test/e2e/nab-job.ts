import { avg, count, defineJob, type JobDefinition, max, min, partitionLog, sum, tumbling } from '#operators';
import { iceberg, month, timeSeries } from '#sinks';
import { eventTime, f64, i32, type Infer, nullable, schema, string } from '#wire';
import { NabReading } from './nab-reading.ts';

export const HOUR_MS = 3_600_000;
export const LAKE_TABLE = 'nab.readings';
export const SERIES = 'nab_hourly';
/** Series that exist to move event time past the last real row; they enter neither windows nor the lake. */
export const CLOSING = 'closing-';

/** One hour of one series. */
export const NabHour = schema('nab-hour', {
  start: eventTime(1),
  series: string(2),
  n: i32(3),
  total: nullable(f64(4)),
  low: nullable(f64(5)),
  high: nullable(f64(6)),
  mean: nullable(f64(7)),
});
export type NabHour = Infer<typeof NabHour>;

/** Readings of a topic: by hour and series into a topic and a live series, one by one into the lake, the late ones set aside. */
export function nabJob(warehouse: string): JobDefinition {
  const settings = { guarantee: 'exactly-once', checkpointInterval: '500ms', parallelism: 2 } as const;
  return defineJob('nab', settings, (job) => {
    const readings = job
      .source('readings', partitionLog('nab', NabReading), {
        startFrom: 'earliest',
        outOfOrderness: '1h',
        idleAfter: '5m', // records close the last windows here, not silence
      })
      .filter(({ series }) => !series.startsWith(CLOSING));
    const hourly = readings
      .keyBy('series')
      .window(tumbling('1h'))
      .aggregate('hourly', {
        n: count(),
        total: sum('value'),
        low: min('value'),
        high: max('value'),
        mean: avg('value'),
      });
    hourly
      .map(({ key, window, value }) => ({ start: window.start, series: key.series, ...value }))
      .to('hours', partitionLog('nab-hours', NabHour, { partitionBy: 'series' }));
    hourly.to('live', timeSeries(SERIES), { accept: 'idempotent' });
    hourly.side.late.to('late', partitionLog('nab-late', NabReading));
    readings.to('lake', iceberg(LAKE_TABLE, NabReading, { warehouse, partitionBy: [month('ts')] }));
  });
}
