import { type Duration, durationMs } from '../base/duration.ts';
import type { Sink } from '../runtime/sink.ts';
import type { Source } from '../runtime/source.ts';
import type { Schema } from '../wire/schema.ts';
import { logSink } from './log-sink.ts';
import { logSource } from './log-source.ts';
import type { Topic } from './partition-log.ts';

export interface PartitionLogOptions {
  /** Partitions when the topic has to be created. Default 4. */
  readonly partitions?: number;
  /** As a sink: the field whose value chooses a record's partition. Default: batches go round. */
  readonly partitionBy?: string;
  /** As a sink, of a topic that has to be created: how much to keep while no job reads it. Default: everything, up to the quota. */
  readonly retention?: { readonly bytes?: number; readonly age?: Duration };
}

/**
 * A topic of the partition log, as a source and as a sink. As a sink it is exactly-once: rows become readable with the
 * checkpoint that covers them.
 */
export function partitionLog<Row>(
  topic: string,
  schema: Schema<Row>,
  options: PartitionLogOptions = {},
): Source<Row> & Sink<Row, 'exactly-once'> {
  const partitions = options.partitions ?? 4;
  return {
    ...logSource(topic, schema, partitions),
    ...logSink(topic, schema, {
      partitions,
      partitionBy: options.partitionBy ?? null,
      retention: options.retention === undefined ? null : retentionOf(options.retention),
    }),
  };
}

function retentionOf({ bytes, age }: NonNullable<PartitionLogOptions['retention']>): Topic['retention'] {
  return {
    ...(bytes === undefined ? {} : { bytes }),
    ...(age === undefined ? {} : { ageMs: durationMs(age, 'retention.age') }),
  };
}
