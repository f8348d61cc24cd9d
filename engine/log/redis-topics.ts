import { hasCode, MillraceError } from '../base/errors.ts';
import { partitionKeys, schemasKey, topicsKey } from '../redis/keys.ts';
import { loadScript } from '../redis/script.ts';
import { parseSchemaText, type Schema, type SchemaId, schemaText } from '../wire/schema.ts';
import type { PartitionLog, Topic } from './partition-log.ts';
import type { RedisContext } from './redis-context.ts';
import { checkTopic, type TopicSettings, topicSettings } from './topic-settings.ts';

const initPartition = loadScript(new URL('./scripts/init-partition-1.lua', import.meta.url));

/** Topics and schemas. An existing topic keeps its quota, retention and schema; another schema is registered beside it. */
export function redisTopics(
  context: RedisContext,
): Pick<PartitionLog, 'createTopic' | 'topic' | 'schema' | 'registerSchema'> {
  const { connection, namespace } = context;

  const schema = async (id: SchemaId): Promise<Schema | null> => {
    const text = await connection.call('HGET', schemasKey(namespace), id);
    return typeof text === 'string' ? parseSchemaText(text) : null;
  };
  const registerSchema = async (value: Schema): Promise<void> => {
    await connection.call('HSETNX', schemasKey(namespace), value.id, schemaText(value));
  };
  const topic = async (name: string): Promise<Topic | null> => {
    const text = await connection.call('HGET', topicsKey(namespace), name);
    if (typeof text !== 'string') return null;
    const { schemaId, ...settings } = JSON.parse(text) as TopicSettings;
    const found = await schema(schemaId);
    // A topic of an earlier version says nothing of its partitioner.
    if (found !== null) return { ...settings, partitionedBy: settings.partitionedBy ?? null, schema: found };
    throw new MillraceError(
      'MR_SCHEMA_UNKNOWN',
      `Topic '${name}' names schema ${schemaId}, which is not registered. Register it again.`,
    );
  };
  return {
    topic,
    schema,
    registerSchema,
    async createTopic(name, options) {
      const settings = topicSettings(name, options);
      await registerSchema(options.schema);
      await connection.call('HSETNX', topicsKey(namespace), name, JSON.stringify(settings));
      const created = await topic(name).catch(async (error: unknown) => {
        if (!hasCode(error, 'MR_SCHEMA_UNKNOWN')) throw error;
        await registerSchema(options.schema); // a fail-over between the two has lost it
        return topic(name);
      });
      if (created === null) throw redisLostIt(name);
      checkTopic(created, options);
      await initPartitions(context, created);
      return created;
    },
  };
}

/** Also after the topic was found: the process that made it may have died before it got to its partitions. */
async function initPartitions({ connection, namespace }: RedisContext, topic: Topic): Promise<void> {
  const args = [topic.quotaBytes, topic.retention.bytes ?? '', topic.retention.ageMs ?? ''];
  const partitions = Array.from({ length: topic.partitions }, (_, p) =>
    partitionKeys(namespace, topic.name, p),
  );
  await Promise.all(partitions.map((keys) => connection.script(initPartition, [keys.meta], args)));
}

function redisLostIt(name: string): MillraceError {
  return new MillraceError(
    'MR_REDIS_UNAVAILABLE',
    `Topic '${name}' was created and is not there: the server has lost it in a fail-over or restart. Create it again.`,
  );
}
