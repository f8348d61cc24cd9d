import { Cluster } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import {
  openRedisCheckpointStore,
  type RedisCheckpointOptions,
} from '../../../engine/checkpoint/redis-checkpoint-store.ts';
import { checkpointKeys } from '../../../engine/redis/keys.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { ownersInterleaved } from './checkpoint-owners.contract.ts';
import { checkpointStoreContract } from './checkpoint-store.contract.ts';

const NAMESPACE = 'test';
const cluster = await startRedisCluster();
t.teardown(() => cluster.stop());

const openStore = (options: Partial<RedisCheckpointOptions> = {}) =>
  openRedisCheckpointStore({
    url: cluster.url,
    namespace: NAMESPACE,
    clock: systemClock,
    durability: 'process',
    ...options,
  });

await t.test('contract, on a cluster (RS1)', async (t) => {
  const raw = new Cluster(cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port: port as number })));
  const closing: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    for (const close of closing) await close();
    raw.disconnect();
  });
  await checkpointStoreContract(t, {
    async open(options = {}) {
      const store = await openStore(options);
      closing.push(() => store.close());
      return store;
    },
    async damage(job, ref) {
      await raw.setrange(checkpointKeys(NAMESPACE, job).blob(ref.key), ref.bytes >>> 1, 'damage');
    },
  });
});

await t.test(
  'whatever two owners do on a cluster, scripts and protocol decide the same (CP1, CP2, CP4, CP5)',
  () => ownersInterleaved({ runs: 30, open: (uuid) => openStore({ uuid }) }),
);
