import { MillraceError } from '../base/errors.ts';
import { type PartitionedBy, partitioningText } from '../key/key-partitioner.ts';
import type { Position } from './partition-log.ts';

/* What both partition logs say when something is wrong, so that they say the same. */

export const noTopic = (topic: string, partition?: number): MillraceError =>
  new MillraceError(
    'MR_LOG_NO_TOPIC',
    `There is no ${partition === undefined ? '' : `partition ${partition} of `}topic '${topic}'. Create the topic first, or check its name and the namespace.`,
    { details: { topic, partition } },
  );

export const topicMismatch = (topic: string, has: number, asked: number): MillraceError =>
  new MillraceError(
    'MR_LOG_TOPIC_MISMATCH',
    `Topic '${topic}' has ${has} partitions, ${asked} were asked for. Use ${has}, or another topic name.`,
    { details: { topic, has, asked } },
  );

export const otherPartitioner = (
  topic: string,
  has: PartitionedBy | null,
  asked: PartitionedBy,
): MillraceError =>
  new MillraceError(
    'MR_LOG_TOPIC_MISMATCH',
    `Topic '${topic}' is partitioned by ${partitioningText(has)}, asked for is ${partitioningText(asked)}. ` +
      'Declare what it has, or use another topic name.',
    { details: { topic, has: partitioningText(has), asked: partitioningText(asked) } },
  );

export const overQuota = (
  topic: string,
  partition: number,
  bytes: number,
  quotaBytes: number,
): MillraceError =>
  new MillraceError(
    'MR_LOG_FRAME_OVER_QUOTA',
    `A frame of ${bytes} bytes can never fit into partition ${partition} of '${topic}', whose quota is ${quotaBytes} bytes. Write smaller frames or raise quotaBytes.`,
    { details: { topic, partition, bytes, quotaBytes } },
  );

export const fencedProducer = (producer: string, epoch: number, current: number): MillraceError =>
  new MillraceError(
    'MR_LOG_FENCED',
    `Producer '${producer}' writes with epoch ${epoch}, but epoch ${current} has written. Another instance took over; stop this one.`,
    { details: { producer, epoch, current } },
  );

export const producerGap = (
  topic: string,
  partition: number,
  producer: string,
  first: number,
  expected: number,
): MillraceError =>
  new MillraceError(
    'MR_LOG_GAP',
    `Partition ${partition} of '${topic}' expects sequence ${expected} of producer '${producer}', which goes on with ${first}: the server lost records, or two writers use one name. Write again from ${expected} under a new epoch.`,
    { details: { topic, partition, producer, first, expected } },
  );

export const fencedJob = (job: string, generation: number, current: number): MillraceError =>
  new MillraceError(
    'MR_CHECKPOINT_FENCED',
    `Generation ${generation} of job '${job}' may not register positions: generation ${current} has. This attempt was replaced and must stop.`,
    { details: { job, generation, current } },
  );

export const fencedSink = (sinkId: string, generation: number, current: number): MillraceError =>
  new MillraceError(
    'MR_SINK_FENCED',
    `Generation ${generation} of sink '${sinkId}' may not stage: generation ${current} writes. This attempt was replaced and must stop.`,
    { details: { sinkId, generation, current } },
  );

export const sinkAhead = (sinkId: string, seq: number, committed: number): MillraceError =>
  new MillraceError(
    'MR_SINK_AHEAD',
    `Sink '${sinkId}' cannot stage under ${seq}: it has committed up to ${committed}. An older checkpoint was restored; use a new sink id or a newer checkpoint.`,
    { details: { sinkId, seq, committed } },
  );

export const stageFull = (
  {
    sinkId,
    topic,
    partition,
  }: { readonly sinkId: string; readonly topic: string; readonly partition: number },
  bytes: number,
  quotaBytes: number,
): MillraceError =>
  new MillraceError(
    'MR_LOG_FULL',
    `Sink '${sinkId}' cannot stage: partition ${partition} of '${topic}' holds ${bytes} of ${quotaBytes} bytes. Let readers catch up, raise quotaBytes, or give the topic a retention.`,
    { details: { sinkId, topic, partition, bytes, quotaBytes } },
  );

export const overStage = (sinkId: string, bytes: number, bytesMax: number): MillraceError =>
  new MillraceError(
    'MR_SINK_FAILED',
    `Sink '${sinkId}' stages ${bytes} bytes for one partition and checkpoint, at most ${bytesMax} are allowed. Checkpoint more often or use more partitions.`,
    { details: { sinkId, bytes, bytesMax } },
  );

export const stageGap = (sinkId: string, part: number, expected: number): MillraceError =>
  new MillraceError(
    'MR_LOG_GAP',
    `Sink '${sinkId}' staged part ${part} where part ${expected} was expected; parts before it were lost.`,
    {
      details: { sinkId, part, expected },
    },
  );

export const stageMissing = (sinkId: string, seq: number, topic: string, partition: number): MillraceError =>
  new MillraceError(
    'MR_LOG_ROLLED_BACK',
    `The stage ${seq} of sink '${sinkId}' beside partition ${partition} of '${topic}' is gone: the server lost data. Restore an older checkpoint.`,
    { details: { sinkId, seq, topic, partition } },
  );

export const commitLost = (topic: string, partition: number): MillraceError =>
  new MillraceError(
    'MR_CHECKPOINT_NOT_DURABLE',
    `Partition ${partition} of '${topic}' has lost what was committed to it just before: the server was replaced. The next attempt commits it again, in the same order.`,
    { details: { topic, partition } },
  );

export const rolledBack = (topic: string, partition: number, at: Position, found: string): MillraceError =>
  new MillraceError(
    'MR_LOG_ROLLED_BACK',
    `Partition ${partition} of '${topic}' is not the one that was read up to offset ${at.offset} (chain '${at.chain}'): ${found}. The server lost or replaced records; restart from a checkpoint whose position still matches.`,
    { details: { topic, partition, offset: at.offset } },
  );

export const trimmed = (topic: string, partition: number, at: Position, start: number): MillraceError =>
  new MillraceError(
    'MR_LOG_TRIMMED',
    `Partition ${partition} of '${topic}' starts at offset ${start}; offset ${at.offset} was trimmed. Restore a newer checkpoint, or replay the missing records from the bronze table.`,
    { details: { topic, partition, offset: at.offset, start } },
  );
