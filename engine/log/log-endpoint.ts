import { type Duration, durationMs } from '../base/duration.ts';
import { keyPartitioner, type PartitionedBy, PARTITIONER_KEY_GROUPS } from '../key/key-partitioner.ts';
import type { Sink } from '../runtime/sink.ts';
import type { Source } from '../runtime/source.ts';
import type { Schema } from '../wire/schema.ts';
import type { DeclaredTopic } from './declared-topic.ts';
import { logSink } from './log-sink.ts';
import { logSource } from './log-source.ts';
import type { Topic } from './partition-log.ts';

export interface PartitionLogOptions {
  /** Partitions when the topic has to be created. Default 4. */
  readonly partitions?: number;
  /**
   * The key fields that choose a record's partition, in order. As a sink it writes so; default: batches go round. As a source it says
   * that all producers of the topic do: partitions are then read in order, `partitions` must be what the topic has, and a stream that is
   * keyed by the same fields needs no exchange when `keyGroups` is the job's max parallelism and its parallelism divides `partitions`.
   * A record that lies in another partition than its key's is refused there as MR_KEY_MISPLACED.
   */
  readonly partitionBy?: string | readonly string[];
  /** Key groups that `partitionBy` spreads keys over. Default 128. */
  readonly keyGroups?: number;
  /** As a sink, of a topic that has to be created: how much to keep while no job reads it. Default: everything, up to the quota. */
  readonly retention?: { readonly bytes?: number; readonly age?: Duration };
}

/**
 * A topic of the partition log, as a source and as a sink. As a sink it is exactly-once: rows become readable with the
 * checkpoint that covers them.
 * @throws MR_CONFIG_INVALID when `partitionBy` names what cannot be a key, or the numbers do not fit each other
 */
export function partitionLog<Row>(
  topic: string,
  schema: Schema<Row>,
  options: PartitionLogOptions = {},
): Source<Row> & Sink<Row, 'exactly-once'> {
  const partitions = options.partitions ?? 4;
  const partitionedBy = partitionerOf(options);
  if (partitionedBy !== null)
    keyPartitioner(schema, partitionedBy.fields, partitions, partitionedBy.keyGroups);
  const retention = options.retention === undefined ? null : retentionOf(options.retention);
  const declared: DeclaredTopic<Row> = { name: topic, schema, partitions, partitionedBy, retention };
  return { ...logSource(declared), ...logSink(declared) };
}

function partitionerOf({ partitionBy, keyGroups }: PartitionLogOptions): PartitionedBy | null {
  if (partitionBy === undefined) return null;
  return {
    fields: typeof partitionBy === 'string' ? [partitionBy] : partitionBy,
    keyGroups: keyGroups ?? PARTITIONER_KEY_GROUPS,
  };
}

function retentionOf({ bytes, age }: NonNullable<PartitionLogOptions['retention']>): Topic['retention'] {
  return {
    ...(bytes === undefined ? {} : { bytes }),
    ...(age === undefined ? {} : { ageMs: durationMs(age, 'retention.age') }),
  };
}
