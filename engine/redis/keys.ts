import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/*
 * Every Redis key of the engine is made here and nowhere else. What stands between braces is the hash tag: keys with
 * one tag lie in one slot of a cluster, and only those may meet in a script.
 *
 *   mr:<namespace>:{topics}:t                        hash    topic name → settings as JSON
 *   mr:<namespace>:schemas                           hash    schema id → schemaText
 *   mr:<namespace>:durable                           string  written before each WAIT or WAITAOF
 *   mr:<namespace>:{<topic>:<partition>}:s           stream  frames, entry id = <first offset>-1 (0-0 is not an id)
 *   mr:<namespace>:{<topic>:<partition>}:m           hash    ends, bytes, chain, registered jobs, sinks
 *   mr:<namespace>:{<topic>:<partition>}:p           hash    producer → epoch and last sequence
 *   mr:<namespace>:{<topic>:<partition>}:o           zset    producer by offset of its last append
 *   mr:<namespace>:{<topic>:<partition>}:g           hash    <sink>:<seq> → parts and bytes of a stage
 *   mr:<namespace>:{<topic>:<partition>}:g:<sink>:<seq>  list  staged frames
 *   mr:<namespace>:{job:<job>}:ctl                   hash    token, generation, ids, bytes of blobs
 *   mr:<namespace>:{job:<job>}:kept                  hash    checkpoint id → kind and token
 *   mr:<namespace>:{job:<job>}:manifests             hash    checkpoint id → manifest
 *   mr:<namespace>:{job:<job>}:blobs                 hash    <generation>:<checkpoint>:<name> → bytes of that blob
 *   mr:<namespace>:{job:<job>}:b:<generation>:<checkpoint>:<name>  string  one blob
 *   mr:<namespace>:{series:<name>:<shard>}:fence     hash    <job> <operator> → generation
 *   mr:<namespace>:{series:<name>:<shard>}:keys      zset    series key by wall time of its last write
 *   mr:<namespace>:{series:<name>:<shard>}:newest    hash    series key → <start>:<point>
 *   mr:<namespace>:{series:<name>:<shard>}:u:<job> <operator>        zset  barrier intervals that can be undone
 *   mr:<namespace>:{series:<name>:<shard>}:u:<job> <operator>:<seq>  hash  what the interval changed → as it was before
 *   mr:<namespace>:{series:<name>:<shard>}:p:<hour>:<series key>  hash  window start → point
 */

/** Hash of all topics. */
export const topicsKey = (namespace: string): string => `mr:${validName(namespace, 'namespace')}:{topics}:t`;

/** Hash of all schemas by id. */
export const schemasKey = (namespace: string): string => `mr:${validName(namespace, 'namespace')}:schemas`;

/** Rewritten before each wait for durability, so that there is something to wait for on this connection. */
/** Data that jobs keep beside the engine's own, e.g. a registry that records are enriched from. */
export const jobDataKey = (namespace: string, name: string): string =>
  `mr:${validName(namespace, 'namespace')}:data:${validName(name, 'data name')}`;

export const durabilityKey = (namespace: string): string => `mr:${validName(namespace, 'namespace')}:durable`;

/** Keys of one partition; all in one slot. */
export interface PartitionKeys {
  readonly stream: string;
  readonly meta: string;
  readonly producers: string;
  readonly producerOrder: string;
  readonly stages: string;
}

export function partitionKeys(namespace: string, topic: string, partition: number): PartitionKeys {
  const base = partitionBase(namespace, topic, partition);
  return {
    stream: `${base}:s`,
    meta: `${base}:m`,
    producers: `${base}:p`,
    producerOrder: `${base}:o`,
    stages: `${base}:g`,
  };
}

/** Frames that a sink has staged beside a partition under one sequence number. */
export const stageKey = (
  namespace: string,
  topic: string,
  partition: number,
  sinkId: string,
  seq: number,
): string => `${partitionBase(namespace, topic, partition)}:g:${stageField(sinkId, seq)}`;

/** Field of the stages hash. */
export const stageField = (sinkId: string, seq: number): string => `${validName(sinkId, 'sink id')}:${seq}`;

/** Keys of one job's checkpoints; all in one slot. */
export interface CheckpointKeys {
  readonly control: string;
  readonly kept: string;
  readonly manifests: string;
  readonly blobs: string;
  readonly blob: (key: string) => string;
}

export function checkpointKeys(namespace: string, job: string): CheckpointKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{job:${validName(job, 'job name')}}`;
  return {
    control: `${base}:ctl`,
    kept: `${base}:kept`,
    manifests: `${base}:manifests`,
    blobs: `${base}:blobs`,
    blob: (key) => `${base}:b:${key}`,
  };
}

/** Keys of one shard of one time series; all in one slot. */
export interface SeriesKeys {
  readonly fence: string;
  readonly index: string;
  readonly newest: string;
  /** Sequence numbers of the barrier intervals that a writer can undo; `<this>:<seq>` is the undo log of one. */
  readonly undo: (writer: string) => string;
  /** What every bucket's key begins with. */
  readonly buckets: string;
  /** Points of one series key in one hour since the epoch. */
  readonly bucket: (hour: number, key: string) => string;
}

export function seriesKeys(namespace: string, name: string, shard: number): SeriesKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{series:${validName(name, 'series name')}:${shard}}`;
  return {
    fence: `${base}:fence`,
    index: `${base}:keys`,
    newest: `${base}:newest`,
    undo: (writer) => `${base}:u:${writer}`,
    buckets: `${base}:p:`,
    bucket: (hour, key) => `${base}:p:${hour}:${key}`,
  };
}

/**
 * The name itself, when it may be part of a key: 1 … 128 of `A-Z a-z 0-9 . _ -`.
 * @throws MR_CONFIG_INVALID
 */
export function validName(name: string, what: string): string {
  if (NAME.test(name) && name.length <= LIMITS.nameLengthMax) return name;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `The ${what} '${name.slice(0, LIMITS.nameLengthMax)}' must have 1 to ${LIMITS.nameLengthMax} characters of A-Z a-z 0-9 . _ -.`,
  );
}

const NAME = /^[A-Za-z0-9._-]+$/;

function partitionBase(namespace: string, topic: string, partition: number): string {
  return `mr:${validName(namespace, 'namespace')}:{${validName(topic, 'topic')}:${partition}}`;
}
