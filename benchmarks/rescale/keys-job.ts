import type { JobModuleContext } from '#engine';
import { defineJob, defineOperator, type JobDefinition, partitionLog, type, valueState } from '#operators';
import { eventTime, f64, i32, type Infer, schema } from '#wire';

export const KeyEvent = schema('key-event', { at: eventTime(1), key: i32(2), n: f64(3) });
export type KeyEvent = Infer<typeof KeyEvent>;

export const KeyTotal = schema('key-total', { at: eventTime(1), key: i32(2), events: f64(3), sum: f64(4) });
export type KeyTotal = Infer<typeof KeyTotal>;

/** Later than any event: reached when the job is drained. */
const END_MS = 8_000_000_000_000_000;

/** Counts and sums per key in state, and gives what it has at the end of time: nothing that is lost or doubled stays hidden. */
const totals = defineOperator({
  key: type<{ readonly key: number }>(),
  input: type<KeyEvent>(),
  output: type<KeyTotal>(),
  state: { events: valueState<number>(), sum: valueState<number>() },
  onRecord({ n }, { state, timers }) {
    const events = state.events.get() ?? 0;
    if (events === 0) timers.at(END_MS);
    state.events.set(events + 1);
    state.sum.set((state.sum.get() ?? 0) + n);
  },
  onTimer(at, { key, state, emit }) {
    emit({
      at: Math.min(at, END_MS),
      key: key.key,
      events: state.events.get() ?? 0,
      sum: state.sum.get() ?? 0,
    });
  },
});

/** A fork of the job writes beside it. */
export const totalsTopic = (job: string): string => `${job}-totals`;

export default function job({ job: name }: JobModuleContext): JobDefinition {
  return defineJob(
    'many-keys',
    { guarantee: 'exactly-once', checkpointInterval: '5s', maxParallelism: 128 },
    (builder) => {
      builder
        .source('events', partitionLog('key-events', KeyEvent), { outOfOrderness: '1s' })
        .keyBy('key')
        .process('totals', totals)
        .to('out', partitionLog(totalsTopic(name), KeyTotal, { partitions: 4, partitionBy: 'key' }));
    },
  );
}
