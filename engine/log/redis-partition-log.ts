import type { Clock } from '../base/clock.ts';
import { offset } from '../base/brand.ts';
import { invariant } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import { RedisConnection } from '../redis/connection.ts';
import { type DurabilityOptions, openDurability } from '../redis/durability.ts';
import { durabilityKey, partitionKeys, validName } from '../redis/keys.ts';
import { redisFailure } from '../redis/redis-error.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';
import { loadScript } from '../redis/script.ts';
import { verifyFrame } from '../wire/frame.ts';
import { crcHex } from './chain.ts';
import { noTopic, overQuota } from './log-error.ts';
import type { AppendResult, LogReader, PartitionLog } from './partition-log.ts';
import { asBuffer, type RedisContext, runScript, type StatusReply } from './redis-context.ts';
import { redisEnds, usedBytes } from './redis-ends.ts';
import { openRedisLogReader } from './redis-log-reader.ts';
import { redisStages } from './redis-stages.ts';
import { redisTopics } from './redis-topics.ts';
import { redisTrimming } from './redis-trimming.ts';
import { validPartition } from './topic-settings.ts';

const appendScript = loadScript(new URL('./scripts/append-4.lua', import.meta.url));

export interface RedisPartitionLogOptions extends DurabilityOptions {
  /** One server, Sentinel or a cluster, as {@link parseRedisUrl} reads it. */
  readonly url: string;
  /** Sets apart what shares one server. 1 … 128 of A-Z a-z 0-9 . _ - */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random?: Random;
  /** How long a call waits for a server that does not answer. Default LIMITS.redisUnavailableMs. */
  readonly unavailableMs?: number;
  /** Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
}

/**
 * The partition log on Redis Streams: one stream entry per frame, one script per change.
 *
 * PL1 Every change of a partition is one script over keys of one slot, safe to repeat.
 * PL2 Entry ids are dense: an entry's id is `<first offset>-1`, and the next entry's offset is that plus its records.
 * PL3 Every entry carries the chain digest and the bytes before it, so a reader can tell a rolled-back log from the one it read.
 * PL4 A producer's sequence is stored without holes and repetitions; a sink's stage at most once per (sinkId, seq).
 * PL5 Trimming drops nothing from the lowest registered position on.
 *
 * @throws MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED
 */
export async function openRedisPartitionLog(options: RedisPartitionLogOptions): Promise<PartitionLog> {
  const namespace = validName(options.namespace, 'namespace');
  const openLink = options.openLink ?? RedisConnection.open;
  const connection = await openLink({ ...options, name: 'millrace-log' });
  const context: RedisContext = { connection, namespace, clock: options.clock };
  const confirmDurable = await openDurability(connection, durabilityKey(namespace), options).catch(
    (error: unknown) => {
      connection.close();
      throw error;
    },
  );
  const readers = new Set<LogReader>();
  const topics = redisTopics(context);
  const trimming = redisTrimming(context);

  return {
    ...topics,
    ...trimming,
    ...redisStages(context, trimming.trim),
    ...redisEnds(context, topics.topic),
    append: redisAppend(context, trimming.trim),
    confirmDurable,
    historyChanges: confirmDurable.changes,
    async openReader(readerOptions) {
      const reader = await openRedisLogReader({
        ...options,
        ...readerOptions,
        onClose: (closed) => readers.delete(closed),
      });
      readers.add(reader);
      return reader;
    },
    async close() {
      await Promise.all([...readers].map((reader) => reader.close()));
      connection.close();
    },
  };
}

/** `full` first drops what may be dropped, so that a topic kept by retention needs nobody to look after it. */
function redisAppend(context: RedisContext, trim: PartitionLog['trim']): PartitionLog['append'] {
  const { namespace, clock } = context;
  const appendOnce = async (topic: string, partition: number, frame: Uint8Array): Promise<AppendResult> => {
    const { stream, meta, producers, producerOrder } = partitionKeys(
      namespace,
      topic,
      validPartition(topic, partition),
    );
    const { producer, epoch, prev, first, last, records, frameCrc } = verifyFrame(frame);
    const head = [
      producer,
      epoch,
      prev,
      first,
      last,
      records,
      crcHex(frameCrc),
      clock.now(),
      LIMITS.producersPerPartitionMax,
    ];
    try {
      const keys = [stream, meta, producers, producerOrder];
      return appendResult(
        await runScript(context, appendScript, keys, [...head, asBuffer(frame)]),
        topic,
        partition,
        frame,
      );
    } catch (error) {
      // The server is at maxmemory before the quotas are: to a producer it is the same, try again later.
      const used = redisFailure(error) === 'memory' ? await usedBytes(context, topic, partition) : null;
      if (used === null) throw error;
      return { kind: 'full', ...used };
    }
  };
  return async (topic, partition, frame) => {
    const result = await appendOnce(topic, partition, frame);
    if (result.kind !== 'full' || (await trim(topic, partition)) === 0) return result;
    return await appendOnce(topic, partition, frame);
  };
}

function appendResult(
  { status, numbers }: StatusReply,
  topic: string,
  partition: number,
  frame: Uint8Array,
): AppendResult {
  const [first = 0, second = 0] = numbers;
  switch (status) {
    case 'OK':
      return { kind: 'ok', offset: offset(first) };
    case 'DUP':
      return { kind: 'duplicate', last: first };
    case 'GAP':
      return { kind: 'gap', expected: first };
    case 'FENCED':
      return { kind: 'fenced', epoch: first };
    case 'FULL':
      return { kind: 'full', bytes: first, quotaBytes: second };
    case 'OVERQUOTA':
      throw overQuota(topic, partition, frame.byteLength, first);
    default:
      invariant(status === 'NOTOPIC', `append answers ${status}`);
      throw noTopic(topic, partition);
  }
}
