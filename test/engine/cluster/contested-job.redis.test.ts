import { openRedisCheckpointStore, systemClock } from '#engine';
import t from 'tap';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openTestCluster } from '../../support/test-cluster.ts';
import job, { Event } from '../host/counting-job.ts';

t.setTimeout(40_000);
const server = await startRedis();
t.teardown(() => server.stop());

void t.test(
  'JC6 a job that another coordinator took over for a moment is begun again, and not stopped',
  async (test) => {
    const shared = { url: server.url, namespace: 'contested', clock: systemClock };
    const cluster = await openTestCluster({
      ...shared,
      modules: { counting: new URL('../host/counting-job.ts', import.meta.url).href },
      graph: (_, parallelism) => job.graph(parallelism === null ? {} : { parallelism }),
    });
    const store = await openRedisCheckpointStore({ ...shared, durability: 'process' });
    test.teardown(() => Promise.all([cluster.close(), store.close()]));
    await createJobBench({ log: cluster.log }).feed('events', Event, [{ at: 0, key: 'a', n: 1 }], {
      partitions: 4,
    });
    cluster.worker(2);
    cluster.supervisor();
    await cluster.jobs.change('counting', 'c1', { desired: 'running', parallelism: 2 });
    const running = async (from: number) => {
      const status = await cluster.status('counting');
      return status?.state === 'running' && status.generation >= from;
    };
    await until(() => running(1), 'running', 20_000);
    // As a coordinator would whose lease a fail-over has lost.
    const { generation } = await store.takeOver('counting', 'other');
    await until(() => running(generation + 1), 'running again', 20_000);
    test.equal((await cluster.jobs.desired('counting'))?.desired, 'running');
  },
);
