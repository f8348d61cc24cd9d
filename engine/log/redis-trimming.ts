import { LIMITS } from '../base/limits.ts';
import { partitionKeys, topicsKey, validName } from '../redis/keys.ts';
import { loadScript } from '../redis/script.ts';
import { fencedJob, noTopic } from './log-error.ts';
import type { PartitionLog } from './partition-log.ts';
import { type RedisContext, runScript } from './redis-context.ts';
import type { TopicSettings } from './topic-settings.ts';

const registerScript = loadScript(new URL('./scripts/register-1.lua', import.meta.url));
const trimScript = loadScript(new URL('./scripts/trim-2.lua', import.meta.url));

/** Who may come back to which offset, and dropping what nobody may. */
export function redisTrimming(
  context: RedisContext,
): Pick<PartitionLog, 'registerPositions' | 'unregisterJob' | 'trim'> {
  const { connection, namespace, clock } = context;
  return {
    async registerPositions(job, generation, positions) {
      validName(job, 'job');
      const replies = positions.map(async ({ topic, partition, offset }) => {
        const { meta } = partitionKeys(namespace, topic, partition);
        const { status, numbers } = await runScript(
          context,
          registerScript,
          [meta],
          [job, generation, offset],
        );
        if (status === 'NOTOPIC') throw noTopic(topic, partition);
        if (status === 'FENCED') throw fencedJob(job, generation, numbers[0] ?? 0);
      });
      await Promise.all(replies);
    },

    async unregisterJob(job, topic) {
      const field = `j:${validName(job, 'job')}`;
      const text = await connection.call('HGET', topicsKey(namespace), topic);
      if (typeof text !== 'string') throw noTopic(topic);
      const { partitions } = JSON.parse(text) as TopicSettings;
      const metas = Array.from({ length: partitions }, (_, p) => partitionKeys(namespace, topic, p).meta);
      await Promise.all(metas.map((meta) => connection.call('HDEL', meta, field)));
    },

    async trim(topic, partition) {
      const { stream, meta } = partitionKeys(namespace, topic, partition);
      let dropped = 0;
      for (;;) {
        const reply = (await connection.script(
          trimScript,
          [stream, meta],
          [clock.now(), LIMITS.trimFramesPerCall],
        )) as readonly unknown[];
        if (reply[0] === 'NOTOPIC') throw noTopic(topic, partition);
        dropped += Number(reply[0]);
        if (reply[1] !== 1) return dropped;
      }
    },
  };
}
