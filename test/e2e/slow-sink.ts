import { randomUUID } from 'node:crypto';
import {
  type JobHandle,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  runJob,
  type Sink,
  systemClock,
  systemRandom,
} from '#engine';
import { defineJob, defineOperator, partitionLog, type, valueState } from '#operators';
import { type FleetReading as Reading, FleetReading } from '../../edge-forwarder/fleet.ts';
import { Collected, collectingSink } from '../../operators/testing/collecting-sink.ts';

/** A target that takes its time: every write takes `delayMs`, until it has recovered. */
export interface SlowTarget {
  readonly sink: Sink<unknown, 'exactly-once'>;
  readonly recover: () => void;
  /** What checkpoints have made final. */
  readonly rows: () => readonly Reading[];
}

export function slowTarget(delayMs: number): SlowTarget {
  const into = new Collected();
  const inner = collectingSink(into);
  const recovered = new AbortController();
  return {
    sink: {
      ...inner,
      async openWriter(context) {
        const writer = await inner.openWriter(context);
        return {
          ...writer,
          async write(records) {
            await systemClock.sleep(delayMs, recovered.signal);
            await writer.write(records);
          },
        };
      },
    },
    recover: () => recovered.abort(),
    rows: () => into.rows.map(({ record }) => record as Reading),
  };
}

/** Keeps state by key, and hands everything on: a vertex of its own between the source and the sink. */
const counting = defineOperator({
  key: type<{ readonly deviceId: string }>(),
  input: type<Reading>(),
  output: type<Reading>(),
  state: { seen: valueState<number>() },
  onRecord(reading, { state, emit }) {
    state.seen.set((state.seen.get() ?? 0) + 1);
    emit(reading);
  },
});

/** Runs source → count by device → target on a Redis. */
export async function runSlowJob(
  url: string,
  target: SlowTarget,
): Promise<{ readonly handle: JobHandle; readonly close: () => Promise<void> }> {
  const shared = { url, namespace: 'default', clock: systemClock, durability: 'process' as const };
  const [log, store] = await Promise.all([openRedisPartitionLog(shared), openRedisCheckpointStore(shared)]);
  const job = defineJob(
    'slow',
    { guarantee: 'exactly-once', parallelism: 2, checkpointInterval: '200ms' },
    (build) => {
      build
        .source('readings', partitionLog('telemetry', FleetReading), { outOfOrderness: '10s' })
        .keyBy('deviceId')
        .process('count', counting)
        .to('target', target.sink);
    },
  );
  const handle = runJob(job.graph(), {
    namespace: 'default',
    redisUrl: url,
    log,
    store,
    clock: systemClock,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: 'test',
  });
  return { handle, close: async () => void (await Promise.all([log.close(), store.close()])) };
}
