import { randomUUID } from 'node:crypto';
import t from 'tap';
import {
  LIMITS,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import { hostsInThreads } from '../../../engine/host/thread-hosts.ts';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import job, { Tick } from './aligned-job.ts';

const server = await startRedis();
t.teardown(() => server.stop());

await t.test(
  'E10: a partition on one host waits for one on another, and goes on with it (WA4)',
  async (t) => {
    const shared = {
      url: server.url,
      namespace: 'aligned',
      clock: systemClock,
      durability: 'process' as const,
    };
    const log = await openRedisPartitionLog(shared);
    const store = await openRedisCheckpointStore(shared);
    t.teardown(() => Promise.all([log.close(), store.close()]));
    const { feed } = createJobBench({ log });
    /** A frame per tick. */
    const tick = async (partition: number, ...seconds: readonly number[]) => {
      for (const second of seconds)
        await feed('ticks', Tick, [{ at: second * 1_000, from: `${partition}` }], {
          partitions: 2,
          producer: `producer-${partition}`,
          partitionOf: () => partition,
        });
    };
    await tick(0, 10);
    await tick(1, 10);
    const settings = {
      redisUrl: server.url,
      namespace: 'aligned',
      durability: 'process' as const,
      variables: {},
    };
    const handle = runJob(job.graph({ parallelism: 2 }), {
      namespace: 'aligned',
      redisUrl: server.url,
      log,
      store,
      clock: systemClock,
      random: systemRandom,
      uuid: () => randomUUID(),
      owner: 'test',
      openHosts: hostsInThreads(new URL('./aligned-job.ts', import.meta.url).href, settings, 2),
    });
    const of = (partition: number) =>
      handle.status().sources.find((source) => source.partition === partition);
    await until(() => of(0)?.offset === 1 && of(1)?.offset === 1, 'both have begun');
    await systemClock.sleep(3 * LIMITS.hostStatusEveryMs);

    await tick(0, ...Array.from({ length: 30 }, (_, i) => 11 + i));
    await until(() => of(0)?.paused === true, 'the fast one is paused');
    await systemClock.sleep(2 * LIMITS.hostStatusEveryMs);
    t.match(of(0), { paused: true, offset: 3 }, 'up to the first frame beyond the drift');
    t.match(of(1), { paused: false, offset: 1 });

    await tick(1, 25);
    await until(() => (of(0)?.offset ?? 0) > 15, 'it follows');
    await systemClock.sleep(2 * LIMITS.hostStatusEveryMs);
    t.match(of(0), { paused: true, offset: 18 });
    await tick(1, 60);
    await until(() => of(0)?.offset === 31 && of(1)?.offset === 3, 'all is read');
    await handle.stop();
  },
);
