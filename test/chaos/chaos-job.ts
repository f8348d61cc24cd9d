import { type JobModuleContext, systemClock } from '#engine';
import { count, defineJob, defineOperator, partitionLog, sum, tumbling, type, valueState } from '#operators';
import { iceberg, timeSeries } from '#sinks';
import {
  ChaosEvent,
  EnrichedEvent,
  JOB,
  LAKE,
  Mark,
  MARK_EVERY,
  modelOf,
  OUT_OF_ORDER_MS,
  SERIES,
  tickOf,
  TOPICS,
  WINDOW_MS,
  WindowRow,
} from './workload.ts';

/** What the job's variables say, beside the worker's own settings. */
export interface ChaosJobVariables {
  readonly CHAOS_WAREHOUSE: string;
  readonly CHAOS_PARALLELISM: string;
  readonly CHAOS_CHECKPOINT_MS: string;
  /** Checkpoints in a row that may fail. */
  readonly CHAOS_TOLERABLE: string;
}

/** State and timers: counts per device, and one timer per device and tick. */
const marks = defineOperator({
  key: type<{ device: string }>(),
  input: type<ChaosEvent>(),
  output: type<Mark>(),
  state: { count: valueState<number>() },
  onRecord(event, { key: { device }, state, emit, timers, timestamp }) {
    const seen = (state.count.get() ?? 0) + 1;
    state.count.set(seen);
    if (event.cold ? seen > 1 : seen % MARK_EVERY === 0)
      emit({ at: timestamp, device, kind: 'mark', count: seen });
    if (!event.cold && !event.late) timers.at(tickOf(event.at));
  },
  onTimer(at, { key: { device }, emit }) {
    emit({ at, device, kind: 'tick', count: 0 });
  },
});

/** Every kind of state and sink in one job, each so that loss and repetition can be counted. */
export default ({ variables }: JobModuleContext) => {
  const given = variables as unknown as ChaosJobVariables;
  return defineJob(
    JOB,
    {
      guarantee: 'exactly-once',
      parallelism: Number(given.CHAOS_PARALLELISM),
      checkpointInterval: Number(given.CHAOS_CHECKPOINT_MS),
      checkpointTimeout: '30s',
      checkpointFailuresTolerable: Number(given.CHAOS_TOLERABLE),
      restart: { first: '100ms', max: '2s' },
    },
    (job) => {
      const events = job.source('events', partitionLog(TOPICS.events, ChaosEvent), {
        outOfOrderness: OUT_OF_ORDER_MS,
        idleAfter: '60s', // an outage must not make late what is on time
      });
      const windows = events
        .filter((event) => !event.cold)
        .keyBy('device')
        .window(tumbling(WINDOW_MS))
        .aggregate('windows', { count: count(), sum: sum('value') });
      windows
        .map(({ key, window, value }) => ({
          at: window.start,
          device: key.device,
          count: value.count,
          sum: value.sum ?? 0,
        }))
        .to('windows-out', partitionLog(TOPICS.windows, WindowRow));
      windows.to('series', timeSeries(SERIES, { ttl: '1d' }), { accept: 'idempotent' });
      windows.side.late.to('late', partitionLog(TOPICS.late, ChaosEvent));
      events.keyBy('device').process('marks', marks).to('marks-out', partitionLog(TOPICS.marks, Mark));
      events
        .asyncMap('enrich', enrich, { concurrency: 256 })
        .to('lake', iceberg(LAKE, EnrichedEvent, { warehouse: given.CHAOS_WAREHOUSE }));
    },
  );
};

/** Now and then slower, so that checkpoints find calls under way. */
async function enrich({ at, device, feeder, lane, n, value }: ChaosEvent): Promise<EnrichedEvent> {
  if (n % 97 === 0) await systemClock.sleep(5);
  return { at, device, feeder, lane, n, value, model: modelOf(device) };
}
