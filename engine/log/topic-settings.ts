import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { keyPartitioner, type PartitionedBy, samePartitioning } from '../key/key-partitioner.ts';
import { validName } from '../redis/keys.ts';
import type { SchemaId } from '../wire/schema.ts';
import { otherPartitioner, topicMismatch } from './log-error.ts';
import type { Topic, TopicOptions } from './partition-log.ts';

/** A topic without its schema's fields, as stored. */
export interface TopicSettings extends Omit<Topic, 'schema'> {
  readonly schemaId: SchemaId;
}

/**
 * The settings that the options ask for, with defaults.
 * @throws MR_CONFIG_INVALID
 */
export function topicSettings(name: string, options: TopicOptions): TopicSettings {
  validName(name, 'topic');
  const { partitions, schema, quotaBytes = LIMITS.topicQuotaBytesDefault, retention = {} } = options;
  const { partitionedBy = null } = options;
  within(name, 'partitions', partitions, LIMITS.topicPartitionsMax);
  within(name, 'quotaBytes', quotaBytes, Number.MAX_SAFE_INTEGER);
  if (retention.bytes !== undefined) within(name, 'retention.bytes', retention.bytes, quotaBytes);
  if (retention.ageMs !== undefined)
    within(name, 'retention.ageMs', retention.ageMs, Number.MAX_SAFE_INTEGER);
  if (partitionedBy !== null)
    keyPartitioner(schema, partitionedBy.fields, partitions, partitionedBy.keyGroups);
  return { name, partitions, partitionedBy, quotaBytes, retention, schemaId: schema.id };
}

/**
 * Refuses a topic that is there and is not what was asked for.
 * @throws MR_LOG_TOPIC_MISMATCH
 */
export function checkTopic(topic: Topic, asked: Pick<TopicOptions, 'partitions' | 'partitionedBy'>): void {
  const { name, partitions } = topic;
  if (partitions !== asked.partitions) throw topicMismatch(name, partitions, asked.partitions);
  checkPartitioner(topic, asked.partitionedBy ?? null);
}

/**
 * Refuses a topic whose records find their partition otherwise; null asks for nothing.
 * @throws MR_LOG_TOPIC_MISMATCH
 */
export function checkPartitioner({ name, partitionedBy }: Topic, asked: PartitionedBy | null): void {
  if (asked === null || (partitionedBy !== null && samePartitioning(partitionedBy, asked))) return;
  throw otherPartitioner(name, partitionedBy, asked);
}

/**
 * The partition's number, when it may be one.
 * @throws MR_CONFIG_INVALID
 */
export function validPartition(topic: string, partition: number): number {
  if (Number.isInteger(partition) && partition >= 0 && partition < LIMITS.topicPartitionsMax)
    return partition;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `'${topic}' cannot have a partition ${partition}; partitions are 0 … ${LIMITS.topicPartitionsMax - 1}.`,
  );
}

function within(topic: string, what: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Topic '${topic}': ${what} must be a whole number, 1 … ${max}, got ${value}.`,
  );
}
