import { offset } from '../base/brand.ts';
import { partitionKeys } from '../redis/keys.ts';
import { noTopic } from './log-error.ts';
import type { PartitionEnds, PartitionLog } from './partition-log.ts';
import type { RedisContext } from './redis-context.ts';
import { validPartition } from './topic-settings.ts';

/** What the meta hashes say of ends and producers. */
export function redisEnds(
  { connection, namespace }: Pick<RedisContext, 'connection' | 'namespace'>,
  topicOf: PartitionLog['topic'],
): Pick<PartitionLog, 'producerState' | 'position' | 'ends'> {
  const fields = async (topic: string, partition: number, ...names: string[]): Promise<readonly string[]> => {
    const { meta } = partitionKeys(namespace, topic, validPartition(topic, partition));
    const reply = (await connection.call('HMGET', meta, ...names)) as readonly (string | null)[];
    if (reply[0] === null) throw noTopic(topic, partition);
    return reply as readonly string[];
  };
  return {
    async producerState(topic, partition, producer) {
      const { producers } = partitionKeys(namespace, topic, validPartition(topic, partition));
      const known = await connection.call('HGET', producers, producer);
      if (typeof known !== 'string') return null;
      const [epoch = 0, last = 0] = known.split(' ').map(Number);
      return { epoch, last };
    },
    async position(topic, partition, where) {
      const names = where === 'earliest' ? ['start', 'startChain'] : ['end', 'chain'];
      const [at, chain = ''] = await fields(topic, partition, ...names);
      return { offset: offset(Number(at)), chain };
    },
    async ends(topic) {
      const found = await topicOf(topic);
      if (found === null) throw noTopic(topic);
      const partitions = Array.from(
        { length: found.partitions },
        async (_, partition): Promise<PartitionEnds> => {
          const [start, end, bytes, low] = (
            await fields(topic, partition, 'start', 'end', 'bytes', 'low')
          ).map(Number);
          return {
            partition,
            start: offset(start as number),
            end: offset(end as number),
            bytes: (bytes as number) - (low as number),
          };
        },
      );
      return await Promise.all(partitions);
    },
  };
}

/** Stored and staged bytes of a partition and their bound, or null without the partition. */
export async function usedBytes(
  { connection, namespace }: Pick<RedisContext, 'connection' | 'namespace'>,
  topic: string,
  partition: number,
): Promise<{ readonly bytes: number; readonly quotaBytes: number } | null> {
  const { meta } = partitionKeys(namespace, topic, partition);
  const reply = await connection.call('HMGET', meta, 'bytes', 'low', 'staged', 'quota');
  const [bytes = 0, low = 0, staged = 0, quotaBytes = 0] = (reply as readonly (string | null)[]).map(Number);
  return quotaBytes === 0 ? null : { bytes: bytes - low + staged, quotaBytes };
}
