import { count, defineJob, partitionLog, sum, tumbling } from '#operators';
import { Event, Total } from '../../engine/host/counting-job.ts';

/** Counts as the counting job does, into a topic of its own. */
export default defineJob(
  'any-name',
  { guarantee: 'exactly-once', parallelism: 1, checkpointInterval: '200ms' },
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
      .to('out', partitionLog('copied-totals', Total));
    windows.side.late.to('late', partitionLog('copied-late', Event));
  },
);
