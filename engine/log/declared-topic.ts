import type { PartitionedBy } from '../key/key-partitioner.ts';
import type { Schema } from '../wire/schema.ts';
import type { Topic, TopicOptions } from './partition-log.ts';

/** What `partitionLog(…)` says of its topic. */
export interface DeclaredTopic<Row = unknown> {
  readonly name: string;
  readonly schema: Schema<Row>;
  /** Of a topic that has to be created; with a partitioner a source reads no topic that has another number. */
  readonly partitions: number;
  /** Null: a source knows nothing of where records lie, a sink's batches go round. */
  readonly partitionedBy: PartitionedBy | null;
  /** Of a topic that a sink creates; null = keep everything, up to the quota. */
  readonly retention: Topic['retention'] | null;
}

/** The topic as it is created where it is missing. */
export function topicOptions({ schema, partitions, partitionedBy, retention }: DeclaredTopic): TopicOptions {
  return {
    partitions,
    schema,
    ...(partitionedBy === null ? {} : { partitionedBy }),
    ...(retention === null ? {} : { retention }),
  };
}
