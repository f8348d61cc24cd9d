import { count, defineJob, partitionLog, sum, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';

export const Event = schema('event', { at: eventTime(1), key: string(2), n: f64(3) });
export type Event = Infer<typeof Event>;

export const Total = schema('total', { at: eventTime(1), key: string(2), count: f64(3), sum: f64(4) });
export type Total = Infer<typeof Total>;

/** Counts and sums per key and second, exactly once into a topic: what is lost or doubled shows. A job module of its own, for threads. */
export default defineJob(
  'counting',
  {
    guarantee: 'exactly-once',
    parallelism: 2,
    checkpointInterval: '200ms',
    restart: { first: '50ms', max: '500ms' },
  },
  (job) => {
    const windows = job
      .source('events', partitionLog('events', Event), { outOfOrderness: '1s', idleAfter: '200ms' })
      .filter((event) => event.n >= 0)
      .keyBy('key')
      .window(tumbling('1s'))
      .aggregate('totals', { count: count(), sum: sum('n') });
    windows
      .map(({ key, window, value }) => ({
        at: window.start,
        key: key.key,
        count: value.count,
        sum: value.sum ?? 0,
      }))
      .to('out', partitionLog('totals', Total));
    windows.side.late.to('late', partitionLog('late', Event));
  },
);
