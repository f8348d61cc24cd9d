import { defineJob, partitionLog } from '#operators';
import { eventTime, type Infer, schema, string } from '#wire';

export const Tick = schema('tick', { at: eventTime(1), from: string(2) });
export type Tick = Infer<typeof Tick>;

/** Copies a topic whose partitions keep within a second of each other. A job module of its own, for threads. */
export default defineJob('aligned', { guarantee: 'exactly-once', checkpointInterval: '200ms' }, (job) => {
  job
    .source('ticks', partitionLog('ticks', Tick, { partitions: 2 }), {
      idleAfter: '1h',
      alignment: { group: 'ticks', maxDrift: '1s' },
    })
    .to('copy', partitionLog('copies', Tick));
});
