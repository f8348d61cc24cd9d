import { Cluster } from 'ioredis';
import t from 'tap';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import { partitionKeys } from '../../../engine/redis/keys.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { skewedClock } from './log-harness.ts';
import { partitionLogContract } from './partition-log.contract.ts';

const cluster = await startRedisCluster();
const nodes = cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port: port as number }));
const admin = new Cluster(nodes);
const clock = skewedClock();
const log = await openRedisPartitionLog({
  url: cluster.url,
  namespace: 'contract',
  clock,
  durability: 'process',
});
t.teardown(async () => {
  await log.close();
  admin.disconnect();
  await cluster.stop();
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
