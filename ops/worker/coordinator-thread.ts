import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { type MessagePort, parentPort } from 'node:worker_threads';
import {
  BundleStore,
  type ClusterContext,
  type DesiredJob,
  type ErrorRecord,
  errorRecord,
  type HostSettings,
  hostsOnWorkers,
  JobCoordination,
  type JobLease,
  JobLeases,
  type LoadedJob,
  type LoadedPlan,
  loadJob,
  openStores,
  RedisConnection,
  type RedisLink,
  systemClock,
  systemRandom,
  trimHeapLater,
} from '#engine';
import { type JobSources, moduleOf } from './job-modules.ts';

/** What a coordinator's thread is told first; a spare one waits for it. */
export interface CoordinatorThreadData {
  /** Kept by the process until the thread says `taken`. */
  readonly lease: Omit<JobLease, 'sentAtMs'>;
  readonly desired: DesiredJob;
  readonly settings: HostSettings;
  readonly sources: JobSources;
  readonly owner: string;
}

/** What it says. After the first message it is told one thing only: to leave. */
export type CoordinatorReport =
  /** It renews the lease from now on. */
  | { readonly kind: 'taken' }
  /** The lease is given back or lost. A thread that ends without a word was ended by the job's code. */
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/**
 * One job's coordinator in a thread of its own, because it runs the job's code to plan it: what that code leaves behind, and its modules,
 * which cannot be unloaded, end with the thread.
 */
async function main(port: MessagePort, data: CoordinatorThreadData): Promise<void> {
  const { settings, desired } = data;
  const { redisUrl: url, namespace } = settings;
  const openLink = (name: string) =>
    RedisConnection.open({ url, name: `millrace:${namespace}:${name}`, clock: systemClock });
  const link = await openLink('coordinator');
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const leases = new JobLeases(cluster);
  const lease = await leases.renew({ ...data.lease, sentAtMs: systemClock.monotonic() });
  if (lease === null) return;
  port.postMessage({ kind: 'taken' } satisfies CoordinatorReport);
  const load = await planLoader(data, cluster, openLink);
  const coordination = new JobCoordination({ cluster, leases, lease, desired, load });
  port.once('message', () => void coordination.leave());
  await coordination.done;
}

/** Plans the job as it is desired; its module is run once per bundle, however often it is planned. */
async function planLoader(
  { settings, sources, owner }: CoordinatorThreadData,
  cluster: ClusterContext,
  openLink: (name: string) => Promise<RedisLink>,
): Promise<(desired: DesiredJob) => Promise<LoadedPlan>> {
  const { redisUrl, namespace } = settings;
  const { log, store } = await openStores(settings);
  const bundles = new BundleStore(cluster);
  let loaded: { readonly bundle: string | null; readonly job: LoadedJob } | null = null;
  let placed: readonly string[] = [];
  return async (desired) => {
    const { name, bundle, parallelism } = desired;
    if (loaded === null || loaded.bundle !== bundle) {
      const url = await moduleOf(sources, bundles, desired);
      loaded = { bundle, job: await loadJob(url, settings, name) };
      flushCompileCache();
    }
    return {
      graph: loaded.job.graph(parallelism === null ? {} : { parallelism }),
      workers: () => placed,
      environment: {
        namespace,
        redisUrl,
        log,
        store,
        clock: systemClock,
        random: systemRandom,
        uuid: () => randomUUID(),
        owner,
        ...(bundle === null ? {} : { jobVersion: bundle }),
        allowNonRestored: droppedOperators(desired),
        openHosts: hostsOnWorkers({
          cluster,
          openLink: () => openLink('reports'),
          bundle,
          placed: (workers) => {
            placed = workers;
          },
        }),
      },
    };
  };
}

function droppedOperators({ settings }: DesiredJob): readonly string[] {
  const { allowNonRestored } = settings as { readonly allowNonRestored?: readonly string[] };
  return allowNonRestored ?? [];
}

if (parentPort !== null) {
  trimHeapLater(systemClock);
  try {
    const [data] = (await once(parentPort, 'message')) as [CoordinatorThreadData];
    await main(parentPort, data);
    parentPort.postMessage({ kind: 'over' } satisfies CoordinatorReport);
  } catch (error) {
    parentPort.postMessage({ kind: 'failed', error: errorRecord(error) } satisfies CoordinatorReport);
  }
  process.exit(0); // of the thread alone, with whatever the job's code has left open
}
