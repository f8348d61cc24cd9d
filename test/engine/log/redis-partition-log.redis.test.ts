import { Redis } from 'ioredis';
import t from 'tap';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import { partitionKeys } from '../../../engine/redis/keys.ts';
import { startRedis } from '../../support/redis-server.ts';
import { skewedClock } from './log-harness.ts';
import { partitionLogContract } from './partition-log.contract.ts';

const server = await startRedis();
const admin = new Redis(server.url);
const clock = skewedClock();
const log = await openRedisPartitionLog({
  url: server.url,
  namespace: 'contract',
  clock,
  durability: 'process',
});
t.teardown(async () => {
  await log.close();
  admin.disconnect();
  await server.stop();
});

partitionLogContract(t, {
  log,
  clock,
  async capture(topic, partition) {
    const keys = Object.values(partitionKeys('contract', topic, partition)) as string[];
    const dumps = await Promise.all(keys.map((key) => admin.dumpBuffer(key)));
    return async () => {
      const restore = admin.multi().del(...keys);
      for (const [i, dump] of dumps.entries())
        if (dump !== null) restore.restore(keys[i] as string, 0, dump, 'REPLACE');
      await restore.exec();
    };
  },
});
