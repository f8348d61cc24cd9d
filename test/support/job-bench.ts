import { randomUUID } from 'node:crypto';
import {
  type Clock,
  FrameWriter,
  type JobEnvironment,
  type JobGraph,
  type JobHandle,
  memoryLogStore,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  type PartitionLog,
  runJob,
  seededRandom,
  systemClock,
} from '#engine';
import type { Schema } from '#wire';
import { readTopic } from '../../operators/testing/read-topic.ts';

/** A log and a checkpoint store in memory, and what tests do with them: feed topics, run jobs, read topics. */
export interface JobBench {
  readonly log: PartitionLog;
  readonly environment: JobEnvironment;
  readonly run: (graph: JobGraph, changes?: Partial<JobEnvironment>) => JobHandle;
  readonly feed: <Row>(
    topic: string,
    schema: Schema<Row>,
    rows: readonly Row[],
    options?: FeedOptions<Row>,
  ) => Promise<void>;
  readonly read: <Row>(topic: string, schema: Schema<Row>) => Promise<Row[]>;
}

export interface FeedOptions<Row> {
  readonly partitions?: number;
  readonly producer?: string;
  readonly partitionOf?: (row: Row) => number;
}

export function createJobBench(
  options: { readonly clock?: Clock; readonly log?: PartitionLog } = {},
): JobBench {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? openMemoryPartitionLog({ clock, store: memoryLogStore() });
  const environment: JobEnvironment = {
    namespace: 'test',
    log,
    store: openMemoryCheckpointStore({ storage: new Map() }),
    clock,
    random: seededRandom(1),
    uuid: () => randomUUID(),
    owner: 'test',
  };
  return {
    log,
    environment,
    run: (graph, changes = {}) => runJob(graph, { ...environment, ...changes }),
    async feed(topic, schema, rows, { partitions = 2, producer = 'feeder', partitionOf } = {}) {
      await log.createTopic(topic, { partitions, schema });
      let next = 0;
      const writer = await FrameWriter.open({
        log,
        topic,
        schema,
        producer,
        epoch: 1,
        partitionOf: partitionOf ?? (() => next++ % partitions),
        clock,
      });
      for (const row of rows) await writer.write(row);
      await writer.close();
    },
    read: (topic, schema) => readTopic(log, topic, schema),
  };
}

/** Polls until `condition` holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const startedMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedMs > timeoutMs)
      throw new Error(`timed out after ${timeoutMs} ms: ${what}`);
    await systemClock.sleep(10);
  }
}
