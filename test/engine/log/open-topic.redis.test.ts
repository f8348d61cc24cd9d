import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { openTopic } from '../../../engine/log/open-topic.ts';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import { partitionKeys } from '../../../engine/redis/keys.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { eventTime, schema } from '#wire';
import { startRedis } from '../../support/redis-server.ts';

const server = await startRedis();
const shared = { url: server.url, namespace: 'topics', clock: systemClock };
const log = await openRedisPartitionLog({ ...shared, durability: 'process' });
const link = await RedisConnection.open({ ...shared, name: 'test' });
t.teardown(async () => {
  await log.close();
  link.close();
  await server.stop();
});
const Row = schema('row', { at: eventTime(1) });

void t.test(
  'a topic whose maker died before it got to the partitions is made whole when it is opened',
  async (t) => {
    await log.createTopic('half', { partitions: 3, schema: Row });
    for (const partition of [0, 2]) await link.call('DEL', partitionKeys('topics', 'half', partition).meta);
    await t.rejects(log.position('half', 2, 'earliest'), { code: 'MR_LOG_NO_TOPIC' });
    const topic = await openTopic(log, 'half', { partitions: 8, schema: Row });
    t.equal(topic.partitions, 3, 'as many as it was made with');
    for (const partition of [0, 1, 2])
      t.match(await log.position('half', partition, 'earliest'), { offset: 0 }, `partition ${partition}`);
  },
);
