import { randomUUID } from 'node:crypto';
import {
  type JobGraph,
  type JobStatus,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  type RedisLink,
  systemClock,
  systemRandom,
} from '#engine';
import { ClusterWorker } from '../../engine/cluster/cluster-worker.ts';
import { hostsOnWorkers } from '../../engine/cluster/hosts-on-workers.ts';
import { type CoordinationOptions, JobCoordination } from '../../engine/cluster/job-coordination.ts';
import { JobRegistry } from '../../engine/cluster/job-registry.ts';
import { JobSupervisor } from '../../engine/cluster/job-supervisor.ts';
import { startHostThreads } from '../../engine/host/thread-hosts.ts';

/** Workers and coordinators of one namespace in this process; hosts are threads, and everything between them goes through Redis. */
export interface TestCluster {
  readonly link: RedisLink;
  readonly log: PartitionLog;
  readonly jobs: JobRegistry;
  readonly worker: (slots: number) => ClusterWorker;
  readonly supervisor: () => JobSupervisor;
  /** What the job's coordinator said last; null before the first time. */
  readonly status: (job: string) => Promise<JobStatus | null>;
  readonly close: () => Promise<void>;
}

export async function openTestCluster(options: {
  readonly url: string;
  readonly namespace: string;
  /** Job name → module. */
  readonly modules: Readonly<Record<string, string>>;
  readonly graph: (job: string, parallelism: number | null) => JobGraph;
}): Promise<TestCluster> {
  const { url, namespace, modules } = options;
  const shared = { url, namespace, clock: systemClock, durability: 'process' as const };
  const openLink = (name: string) => RedisConnection.open({ url, name, clock: systemClock });
  const link = await openLink('cluster');
  const log = await openRedisPartitionLog(shared);
  const store = await openRedisCheckpointStore(shared);
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const settings = { redisUrl: url, namespace, durability: 'process' as const, variables: {} };
  const closing: (() => Promise<unknown>)[] = [];
  const jobs = new JobRegistry(cluster);
  return {
    link,
    log,
    jobs,
    worker(slots) {
      const worker = new ClusterWorker({
        cluster,
        openLink: () => openLink('inbox'),
        description: { host: 'localhost', pid: process.pid, slots, startedAt: Date.now(), version: 'test' },
        startHosts: async (start) => startHostThreads(modules[start.job] as string, settings, start.hosts),
      });
      closing.push(() => worker.stop());
      return worker;
    },
    supervisor() {
      const load: CoordinationOptions['load'] = async ({ name, parallelism, bundle }) => ({
        graph: options.graph(name, parallelism),
        environment: {
          namespace,
          redisUrl: url,
          log,
          store,
          clock: systemClock,
          random: systemRandom,
          uuid: () => randomUUID(),
          owner: 'test',
          openHosts: hostsOnWorkers({ cluster, openLink: () => openLink('reports'), bundle }),
        },
      });
      const supervisor = new JobSupervisor({
        cluster,
        owner: `test:${randomUUID().slice(0, 8)}`,
        coordinate: (leases, lease, desired) =>
          new JobCoordination({ cluster, leases, lease, desired, load }),
      });
      closing.unshift(() => supervisor.stop());
      return supervisor;
    },
    async status(job) {
      const published = await jobs.status(job);
      return published === null
        ? null
        : (JSON.parse(Buffer.from(published.document).toString()) as JobStatus);
    },
    async close() {
      for (const close of closing) await close();
      await Promise.all([log.close(), store.close()]);
      link.close();
    },
  };
}
