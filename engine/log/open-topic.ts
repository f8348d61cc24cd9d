import type { PartitionLog, Topic, TopicOptions } from './partition-log.ts';

/**
 * The topic as it is, or made with these options where there is none, with all its partitions: whoever made it may have died before it got
 * to them.
 * @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE
 */
export async function openTopic(log: PartitionLog, name: string, options: TopicOptions): Promise<Topic> {
  const known = await log.topic(name);
  return log.createTopic(name, { ...options, partitions: known?.partitions ?? options.partitions });
}
