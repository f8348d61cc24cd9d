import type { Clock } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import { validName } from '../redis/keys.ts';
import type { Schema, SchemaId } from '../wire/schema.ts';
import { verifyFrame } from '../wire/frame.ts';
import { fencedJob, noTopic, overQuota } from './log-error.ts';
import { MemoryLogReader } from './memory-log-reader.ts';
import { appendTo, type MemoryPartition, memoryPartition, trimPartition } from './memory-partition.ts';
import { assertStaged, commitFrames, dropFrames, stageFrames } from './memory-stages.ts';
import type { LogReader, PartitionLog, Topic } from './partition-log.ts';
import { checkTopic, topicSettings, validPartition } from './topic-settings.ts';

export interface MemoryPartitionLogOptions {
  readonly clock: Clock;
  /** What is stored; pass one store to several logs to have them share it. Default: a new, empty one. */
  readonly store?: MemoryLogStore;
}

/** Everything that memory logs store; outlives a log that is closed. */
export interface MemoryLogStore {
  readonly topics: Map<string, Topic>;
  readonly schemas: Map<SchemaId, Schema>;
  /** Topic → its partitions, by number. */
  readonly partitions: Map<string, MemoryPartition[]>;
  readonly listeners: Set<() => void>;
}

export const memoryLogStore = (): MemoryLogStore => ({
  topics: new Map(),
  schemas: new Map(),
  partitions: new Map(),
  listeners: new Set(),
});

/** The partition log in the memory of this process: the same behaviour as on Redis, for tests and for jobs that may forget. */
export function openMemoryPartitionLog({
  clock,
  store = memoryLogStore(),
}: MemoryPartitionLogOptions): PartitionLog {
  const jobs = memoryJobs(store, clock);
  const readers = new Set<LogReader>();
  return {
    ...memoryTopics(store),
    ...memoryEnds(store),
    ...memoryStages(store, clock, jobs.trim),
    ...jobs,
    async append(topic, partition, frame) {
      const envelope = verifyFrame(frame);
      const target = partitionOf(store, topic, partition);
      let result = appendTo(target, frame, envelope, clock.now());
      if (result !== 'over-quota' && result.kind === 'full' && (await jobs.trim(topic, partition)) > 0) {
        result = appendTo(target, frame, envelope, clock.now());
      }
      if (result === 'over-quota') throw overQuota(topic, partition, frame.byteLength, target.quotaBytes);
      changed(store);
      return result;
    },
    async openReader(options) {
      for (const partition of options.positions.keys()) partitionOf(store, options.topic, partition);
      const reader = new MemoryLogReader(options, {
        partition: (partition) => store.partitions.get(options.topic)?.[partition],
        onChange(callback) {
          store.listeners.add(callback);
          return () => store.listeners.delete(callback);
        },
      });
      readers.add(reader);
      return reader;
    },
    async confirmDurable() {},
    async close() {
      await Promise.all([...readers].map((reader) => reader.close()));
      readers.clear();
    },
  };
}

function memoryTopics(
  store: MemoryLogStore,
): Pick<PartitionLog, 'createTopic' | 'topic' | 'schema' | 'registerSchema'> {
  const { topics, schemas, partitions } = store;
  return {
    async createTopic(name, options) {
      const { schemaId, ...settings } = topicSettings(name, options);
      schemas.set(schemaId, options.schema);
      const topic = topics.get(name) ?? { ...settings, schema: options.schema };
      checkTopic(topic, options);
      topics.set(name, topic);
      if (!partitions.has(name))
        partitions.set(
          name,
          Array.from({ length: topic.partitions }, () => memoryPartition(topic)),
        );
      return topic;
    },
    topic: async (name) => topics.get(name) ?? null,
    schema: async (id) => schemas.get(id) ?? null,
    async registerSchema(schema) {
      schemas.set(schema.id, schema);
    },
  };
}

function memoryEnds(store: MemoryLogStore): Pick<PartitionLog, 'producerState' | 'position' | 'ends'> {
  return {
    async producerState(topic, partition, producer) {
      return store.partitions.get(topic)?.[validPartition(topic, partition)]?.producers.get(producer) ?? null;
    },
    async position(topic, partition, where) {
      const { start, startChain, end, chain } = partitionOf(store, topic, partition);
      return where === 'earliest' ? { offset: start, chain: startChain } : { offset: end, chain };
    },
    async ends(topic) {
      const partitions = partitionsOf(store, topic);
      return partitions.map(({ start, end, bytes, low }, partition) => ({
        partition,
        start,
        end,
        bytes: bytes - low,
      }));
    },
  };
}

function memoryJobs(
  store: MemoryLogStore,
  clock: Clock,
): Pick<PartitionLog, 'registerPositions' | 'unregisterJob' | 'trim'> {
  return {
    async registerPositions(job, generation, positions) {
      validName(job, 'job');
      for (const { topic, partition, offset } of positions) {
        const { jobs } = partitionOf(store, topic, partition);
        const current = jobs.get(job)?.generation ?? 0;
        if (generation < current) throw fencedJob(job, generation, current);
        jobs.set(job, { generation, offset });
      }
    },
    async unregisterJob(job, topic) {
      for (const { jobs } of partitionsOf(store, topic)) jobs.delete(validName(job, 'job'));
    },
    trim: async (topic, partition) => trimPartition(partitionOf(store, topic, partition), clock.now()),
  };
}

function memoryStages(
  store: MemoryLogStore,
  clock: Clock,
  trim: PartitionLog['trim'],
): Pick<PartitionLog, 'stage' | 'assertStaged' | 'commitStage' | 'stagedSinks' | 'dropStages'> {
  return {
    async stage(target, part, frames) {
      const partition = partitionOf(store, target.topic, target.partition);
      try {
        stageFrames(partition, target, part, frames);
      } catch (error) {
        if (!hasCode(error, 'MR_LOG_FULL') || (await trim(target.topic, target.partition)) === 0) throw error;
        stageFrames(partition, target, part, frames);
      }
    },
    async assertStaged(target, parts) {
      assertStaged(partitionOf(store, target.topic, target.partition), target, parts);
    },
    async commitStage(target, after) {
      const partition = partitionOf(store, target.topic, target.partition);
      const result = commitFrames(partition, target, after, clock.now());
      changed(store);
      return result;
    },
    async stagedSinks(topic, partition) {
      const { sinks } = partitionOf(store, topic, partition);
      return [...sinks].flatMap(([sinkId, { stages }]) => (stages.size > 0 ? [sinkId] : []));
    },
    async dropStages(target, afterSeq) {
      dropFrames(partitionOf(store, target.topic, target.partition), target, afterSeq);
    },
  };
}

function partitionOf(store: MemoryLogStore, topic: string, partition: number): MemoryPartition {
  const found = store.partitions.get(topic)?.[validPartition(topic, partition)];
  if (found === undefined) throw noTopic(topic, partition);
  return found;
}

function partitionsOf(store: MemoryLogStore, topic: string): readonly MemoryPartition[] {
  const found = store.partitions.get(topic);
  if (found === undefined) throw noTopic(topic);
  return found;
}

function changed(store: MemoryLogStore): void {
  for (const listener of store.listeners) listener();
}
