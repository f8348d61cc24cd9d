import { JobCoordination, JobSupervisor, openRedisCheckpointStore, openRedisPartitionLog } from '#engine';
import { ClusterWorker } from '../../../engine/cluster/cluster-worker.ts';
import { hostsOnWorkers } from '../../../engine/cluster/hosts-on-workers.ts';
import type { SimProcess } from '../process.ts';
import { NAMESPACE } from '../simulated-job.ts';
import { startSimHosts } from './sim-hosts.ts';
import type { WorkersWorld } from './workers-world.ts';

/** What runs in a worker's process. */
export interface SimWorker {
  readonly worker: ClusterWorker;
  /** Ends in good order: gives its jobs up, then its slots. */
  readonly leave: () => Promise<void>;
}

/**
 * The main function of a worker's process: offers slots, and stands by to coordinate. Ends after {@link SimWorker.leave}.
 * @param started told once it is up
 * @throws MR_REDIS_UNAVAILABLE when it cannot start
 */
export async function runWorker(
  world: WorkersWorld,
  process: SimProcess,
  started: (worker: SimWorker) => void,
): Promise<void> {
  const { clock, random, uuid, name: owner } = process;
  const shared = world.sharedOptions(process);
  const openLink = (name: string) => shared.openLink({ url: shared.url, name, clock });
  const link = await openLink('cluster');
  const [log, store] = await Promise.all([
    openRedisPartitionLog(shared).then(world.openedLog),
    openRedisCheckpointStore({ ...shared, uuid }).then(world.openedStore),
  ]);
  const cluster = { link, namespace: NAMESPACE, clock, uuid };
  const worker = new ClusterWorker({
    cluster,
    openLink: () => openLink('inbox'),
    description: { host: owner, pid: 1, slots: world.slotsPerWorker, startedAt: clock.now(), version: '0' },
    startHosts: async (start) => startSimHosts(world, process, start),
  });
  const supervisor = new JobSupervisor({
    cluster,
    owner,
    coordinate(leases, lease, desired) {
      let placed: readonly string[] = [];
      const openHosts = hostsOnWorkers({
        cluster,
        openLink: () => openLink('reports'),
        bundle: null,
        placed: (workers) => {
          placed = workers;
        },
      });
      const environment = {
        namespace: NAMESPACE,
        redisUrl: shared.url,
        log,
        store,
        clock,
        random,
        uuid,
        owner,
        openLink: shared.openLink,
        openHosts,
        killPoint: (point: string) => world.passKillPoint(point, process),
      };
      const load = ({ parallelism }: { readonly parallelism: number | null }) =>
        Promise.resolve({
          graph: world.graph(parallelism ?? 1, process),
          workers: () => placed,
          environment,
        });
      return new JobCoordination({ cluster, leases, lease, desired, load });
    },
  });
  started({
    worker,
    async leave() {
      worker.drain();
      await supervisor.stop();
      await worker.stop();
    },
  });
  await worker.done;
}
