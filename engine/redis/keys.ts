import { generation } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/*
 * Every Redis key of the engine is made here and nowhere else. What stands between braces is the hash tag: keys with
 * one tag lie in one slot of a cluster, and only those may meet in a script.
 *
 *   mr:<namespace>:{topics}:t                        hash    topic name → settings as JSON
 *   mr:<namespace>:schemas                           hash    schema id → schemaText
 *   mr:<namespace>:held:<topic>                      hash    forwarder that full partitions keep waiting → facts as JSON; runs out
 *   mr:<namespace>:durable                           string  written before each WAIT or WAITAOF
 *   mr:<namespace>:durable:{<n>}                     string  the same in a cluster, one per node
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
 *   mr:<namespace>:{series:<name>:<shard>}:fence     hash    <job> <operator> → generation; writes → how many there were
 *   mr:<namespace>:{series:<name>:<shard>}:noted     zset    series key by wall time at which it was noted last
 *   mr:<namespace>:{series:<name>:<shard>}:hours     hash    series key → hour of its newest point
 *   mr:<namespace>:{series:<name>:<shard>}:undo:<job> <operator>        zset  barrier intervals that can be undone
 *   mr:<namespace>:{series:<name>:<shard>}:undo:<job> <operator>:<seq>  hash  what the interval changed → as it was before
 *   mr:<namespace>:{series:<name>:<shard>}:page:<hour>:<page>  hash  <window start> <writer> → points of the page's keys
 *   mr:<namespace>:{job:<job>}:lease                 string  token of who coordinates the job; runs out
 *   mr:<namespace>:{job:<job>}:leases                hash    count, newest token and its owner
 *   mr:<namespace>:{job:<job>}:desired               hash    bundle, parallelism, desired, settings as JSON, revision, commands (count)
 *   mr:<namespace>:{job:<job>}:commands              hash    <command id> → command as JSON, <command id>:answer → <state> <JSON>
 *   mr:<namespace>:{job:<job>}:pending               zset    command ids without answer, by order of arrival
 *   mr:<namespace>:{job:<job>}:settled               zset    command ids with answer, by order of arrival
 *   mr:<namespace>:{job:<job>}:status                hash    token, version, at, document
 *   mr:<namespace>:{job:<job>}:exchanges             hash    generation → its hosts as JSON
 *   mr:<namespace>:{jobs}:names                      set     jobs with a desired state
 *   mr:<namespace>:{commands}:jobs…                          BullMQ's, of the queue of control commands
 *   mr:<namespace>:{bundle:<sha256>}                 hash    index → chunk; chunks → how many, once all are there
 *   mr:<namespace>:{workers}:alive                   zset    worker by server time at which it counts as dead
 *   mr:<namespace>:{workers}:info                    hash    worker → description as JSON
 *   mr:<namespace>:{workers}:load                    hash    worker → <slots used> <1 when draining>
 *   mr:<namespace>:{workers}:gone                    zset    given up worker by server time
 *   mr:<namespace>:{in:w:<worker>}:s                 stream  messages to a worker
 *   mr:<namespace>:{in:c:<job>:<generation>}:s       stream  messages to the coordinator of one generation
 *   mr:<namespace>:{in:…}:m                          hash    end, chain, bytes, read; s:<sender> → <generation> <uuid> <sequence>
 *   mr:<namespace>:{x:<job>:<generation>:<to>}:<from>  stream  exchange between two hosts
 */

/** Hash of all topics. */
export const topicsKey = (namespace: string): string => `mr:${validName(namespace, 'namespace')}:{topics}:t`;

/** Hash of all schemas by id. */
export const schemasKey = (namespace: string): string => `mr:${validName(namespace, 'namespace')}:schemas`;

/** Hash of the forwarders that full partitions of a topic keep waiting. */
export const heldForwardersKey = (namespace: string, topic: string): string =>
  `mr:${validName(namespace, 'namespace')}:held:${validName(topic, 'topic')}`;

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

/** Keys of one job's control plane; all in one slot, which is that of its checkpoints. */
export interface JobKeys {
  readonly lease: string;
  readonly leases: string;
  readonly desired: string;
  readonly commands: string;
  readonly pending: string;
  readonly settled: string;
  readonly status: string;
  readonly exchanges: string;
}

export function jobKeys(namespace: string, job: string): JobKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{job:${validName(job, 'job name')}}`;
  return {
    lease: `${base}:lease`,
    leases: `${base}:leases`,
    desired: `${base}:desired`,
    commands: `${base}:commands`,
    pending: `${base}:pending`,
    settled: `${base}:settled`,
    status: `${base}:status`,
    exchanges: `${base}:exchanges`,
  };
}

/** Set of all jobs with a desired state. */
export const jobNamesKey = (namespace: string): string =>
  `mr:${validName(namespace, 'namespace')}:{jobs}:names`;

/** What all keys of the queue of control commands begin with. */
export const commandsPrefix = (namespace: string): string =>
  `mr:${validName(namespace, 'namespace')}:{commands}`;

/** A job's code by the SHA-256 of its bytes. */
export const bundleKey = (namespace: string, sha256: string): string =>
  `mr:${validName(namespace, 'namespace')}:{bundle:${validName(sha256, 'bundle')}}`;

/** Keys of the registry of workers; all in one slot. */
export interface WorkerKeys {
  readonly alive: string;
  readonly info: string;
  readonly load: string;
  readonly gone: string;
}

export function workerKeys(namespace: string): WorkerKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{workers}`;
  return { alive: `${base}:alive`, info: `${base}:info`, load: `${base}:load`, gone: `${base}:gone` };
}

/** Keys of one inbox of control messages; both in one slot. */
export interface InboxKeys {
  readonly stream: string;
  readonly meta: string;
}

/** Where coordinators write to a worker. */
export const workerInbox = (namespace: string, worker: string): InboxKeys =>
  inbox(namespace, `w:${validName(worker, 'worker id')}`);

/** Where workers write to the coordinator of one generation of a job. */
export const coordinatorInbox = (namespace: string, job: string, attempt: number): InboxKeys =>
  inbox(namespace, `c:${validName(job, 'job name')}:${generation(attempt)}`);

/** The stream from one host to another in one generation; all streams into one host lie in one slot. */
export const exchangeKey = (
  namespace: string,
  job: string,
  attempt: number,
  fromHost: string,
  toHost: string,
): string =>
  `mr:${validName(namespace, 'namespace')}:{x:${validName(job, 'job name')}:${generation(attempt)}:${validName(toHost, 'host')}}:${validName(fromHost, 'host')}`;

/** Keys of one shard of one time series; all in one slot. */
export interface SeriesKeys {
  readonly fence: string;
  readonly noted: string;
  readonly hours: string;
  /** Sequence numbers of the barrier intervals that a writer can undo; `<this>:<seq>` is the undo log of one. */
  readonly undo: (writer: string) => string;
  /** What every page's key begins with. */
  readonly pages: string;
  /** Points of the series keys of one page in one hour since the epoch. */
  readonly page: (hour: number, page: number) => string;
}

export function seriesKeys(namespace: string, name: string, shard: number): SeriesKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{series:${validName(name, 'series name')}:${shard}}`;
  return {
    fence: `${base}:fence`,
    noted: `${base}:noted`,
    hours: `${base}:hours`,
    undo: (writer) => `${base}:undo:${writer}`,
    pages: `${base}:page:`,
    page: (hour, page) => `${base}:page:${hour}:${page}`,
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

function inbox(namespace: string, name: string): InboxKeys {
  const base = `mr:${validName(namespace, 'namespace')}:{in:${name}}`;
  return { stream: `${base}:s`, meta: `${base}:m` };
}

const NAME = /^[A-Za-z0-9._-]+$/;

function partitionBase(namespace: string, topic: string, partition: number): string {
  return `mr:${validName(namespace, 'namespace')}:{${validName(topic, 'topic')}:${partition}}`;
}
