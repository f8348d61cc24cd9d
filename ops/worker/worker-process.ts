import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BundleStore,
  type ClusterContext,
  ClusterWorker,
  type HostSettings,
  JobRegistry,
  JobSupervisor,
  openStores,
  parseRedisUrl,
  RedisConnection,
  SpareThreads,
  startHostThreads,
  systemClock,
  targetText,
  trimHeapLater,
} from '#engine';
import { inspectModule } from '../bundle/inspect-module.ts';
import { CommandWorker } from '../commands/command-worker.ts';
import { millraceVersion } from './millrace-version.ts';
import { type JobSources, knowsJob, moduleOf } from './job-modules.ts';
import { openProbes } from './probes.ts';
import { ThreadCoordinations } from './thread-coordinations.ts';

/** How one worker runs. */
export interface WorkerSettings extends HostSettings {
  readonly slots: number;
  /** Of probes and metrics; null for none. */
  readonly port: number | null;
  /** Address that they listen on. */
  readonly address: string;
  /** How long a worker that is told to stop waits for its slots to be moved. */
  readonly drainMs: number;
  /** URLs of job modules on this machine that run without a bundle. */
  readonly modules: readonly string[];
}

export interface WorkerProcess {
  /** Moves what runs here elsewhere, as far as there is room, and ends. */
  readonly stop: () => Promise<void>;
}

/**
 * One worker process: offers slots, stands by as coordinator of any job, and takes commands.
 * User code runs in threads only: of hosts, and of coordinators.
 * @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED, MR_OPS_START
 */
export async function startWorker(
  settings: WorkerSettings,
  log: (line: string) => void,
): Promise<WorkerProcess> {
  // That the servers can give what is declared is known before any job is touched.
  const { log: probed, store } = await openStores(hostSettings(settings));
  await probed.close();
  const { redisUrl: url, namespace } = settings;
  const openLink = (name: string) =>
    RedisConnection.open({ url, name: `millrace:${namespace}:${name}`, clock: systemClock });
  const link = await openLink('worker');
  const cluster: ClusterContext = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bundles-'));
  const closing: (() => Promise<void> | void)[] = [
    () => store.close(),
    () => link.close(),
    trimHeapLater(systemClock),
    () => rm(folder, { recursive: true, force: true }),
  ];
  try {
    const sources = { folder, local: await localModules(settings) };
    const spares = new SpareThreads(hostSettings(settings), settings.slots);
    closing.push(() => spares.close());
    const worker = openWorker(settings, cluster, sources, spares, () => openLink('inbox'));
    closing.push(() => worker.stop());
    const owner = `${hostname()}:${process.pid}`;
    const threads = new ThreadCoordinations({
      cluster,
      settings: hostSettings(settings),
      sources,
      owner,
      log,
    });
    closing.push(() => threads.close());
    const supervisor = new JobSupervisor({
      cluster,
      owner,
      knows: (desired) => knowsJob(sources, desired),
      coordinate: (leases, lease, desired) => threads.start(leases, lease, desired),
    });
    if (settings.port !== null) {
      const { slots, port, address } = settings;
      const probes = await openProbes({ worker, supervisor, slots, port, address, clock: systemClock });
      closing.unshift(() => probes.close());
    }
    const commands = new CommandWorker({ redisUrl: url, cluster, store, log });
    closing.push(() => commands.close());
    await beginLocal(new JobRegistry(cluster), sources, log);
    log(
      `Worker ready: ${settings.slots} slots in namespace '${namespace}' of ${targetText(parseRedisUrl(url))}.`,
    );
    return { stop: () => stopWorker(settings, { worker, supervisor, commands }, closing) };
  } catch (error) {
    await closeAll(closing);
    throw error;
  }
}

function openWorker(
  settings: WorkerSettings,
  cluster: ClusterContext,
  sources: JobSources,
  spares: SpareThreads,
  openLink: () => ReturnType<typeof RedisConnection.open>,
): ClusterWorker {
  const bundles = new BundleStore(cluster);
  return new ClusterWorker({
    cluster,
    openLink,
    description: {
      host: hostname(),
      pid: process.pid,
      slots: settings.slots,
      startedAt: systemClock.now(),
      version: millraceVersion(),
    },
    startHosts: async ({ job, bundle, hosts }) =>
      startHostThreads(
        await moduleOf(sources, bundles, { name: job, bundle }),
        hostSettings(settings),
        hosts,
        spares,
      ),
  });
}

interface Parts {
  readonly worker: ClusterWorker;
  readonly supervisor: JobSupervisor;
  readonly commands: CommandWorker;
}

/** Others take over the jobs that are coordinated here, which moves their slots as well; then the slots of other jobs are waited for. */
async function stopWorker(
  { drainMs }: WorkerSettings,
  { worker, supervisor, commands }: Parts,
  closing: readonly (() => Promise<void> | void)[],
): Promise<void> {
  const untilMs = systemClock.monotonic() + drainMs;
  worker.drain();
  await Promise.all([commands.close(), supervisor.stop()]);
  while (worker.used > 0 && systemClock.monotonic() < untilMs) await systemClock.sleep(DRAIN_LOOK_MS);
  await closeAll(closing);
}

const DRAIN_LOOK_MS = 50;

async function closeAll(closing: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const close of closing.toReversed()) await close();
}

/** What of the settings its threads are told. */
function hostSettings(settings: WorkerSettings): HostSettings {
  const { slots: _s, port: _p, address: _a, drainMs: _d, modules: _m, ...host } = settings;
  return host;
}

async function localModules(settings: WorkerSettings): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const url of settings.modules) found[(await inspectModule(url, settings)).name] = url;
  return found;
}

/** Jobs of local modules run from the first time that a worker brings them; one that was stopped since stays so. */
async function beginLocal(
  registry: JobRegistry,
  { local }: JobSources,
  log: (line: string) => void,
): Promise<void> {
  for (const name of Object.keys(local)) {
    const begun = await registry.change(name, `local.${randomUUID()}`, { desired: 'running' }, 0);
    const desired = begun.kind === 'changed' ? null : await registry.desired(name);
    if (desired !== null && desired.desired !== 'running')
      log(`Job '${name}' is to be ${desired.desired}. To run it: millrace restart ${name}`);
  }
}
