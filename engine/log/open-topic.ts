import type { PartitionLog, Topic, TopicOptions } from './partition-log.ts';

/**
 * The topic as it is, or made with these options where there is none, with its schema and all its partitions: whoever made it may have
 * died before it got to them, or Redis may have lost the schema.
 * @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE
 */
export async function openTopic(log: PartitionLog, name: string, options: TopicOptions): Promise<Topic> {
  await log.registerSchema(options.schema);
  const known = await log.topic(name);
  return log.createTopic(name, { ...options, partitions: known?.partitions ?? options.partitions });
}
