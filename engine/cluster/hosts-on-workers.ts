import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { OpenHosts } from '../coordinator/open-hosts.ts';
import { errorOf, type HostCommand, type HostReport } from '../host/host-messages.ts';
import type { HostDeployment, HostHandle } from '../host/host-protocol.ts';
import { RemoteHost } from '../host/remote-host.ts';
import { coordinatorInbox, workerInbox } from '../redis/keys.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { assignSlots } from './assign-slots.ts';
import type { ClusterContext } from './cluster-context.ts';
import { ControlReader } from './control-reader.ts';
import { ControlSender } from './control-sender.ts';
import { ExchangeStreams } from './exchange-streams.ts';
import type { WorkerCommand, WorkerReport } from './worker-messages.ts';
import { type LivingWorker, WorkerRegistry } from './worker-registry.ts';

export interface WorkersOptions {
  readonly cluster: ClusterContext;
  /** Opens the link that reports are waited for on. */
  readonly openLink: () => Promise<RedisLink>;
  /** SHA-256 of the job's code; null for a job that workers know by name. */
  readonly bundle: string | null;
  /** Told where an attempt's slots run, worker by slot, whenever one has opened. */
  readonly placed?: (workers: readonly string[]) => void;
}

/** A job's slots on the workers of a cluster, one host per slot, spread evenly; where they were before as far as that goes. */
export function hostsOnWorkers(options: WorkersOptions): OpenHosts {
  let previous = new Map<number, string>();
  return async ({ deployment }) => {
    const hosts = new WorkerHosts(options, deployment);
    try {
      const opened = await hosts.open(previous);
      previous = new Map(hosts.workers.entries());
      options.placed?.(hosts.workers);
      return opened;
    } catch (error) {
      await hosts.end();
      throw error;
    }
  };
}

type Deployment = Omit<HostDeployment, 'host' | 'places'>;

/**
 * The coordinator's side of one attempt's hosts: finds workers, starts hosts, carries messages, and notices what is gone.
 * Owns the reading link, the senders and the exchange streams of the generation. Suspends everywhere but in `#arrived`.
 *
 * WH1 a worker that the registry has given up, or to which messages do not get through, loses all its hosts at once.
 * WH2 the streams between hosts are made before any host opens and dropped when the attempt ends; those of older generations go first.
 */
class WorkerHosts {
  /** Per host (= slot), its worker. */
  workers: readonly string[] = [];
  readonly #options: WorkersOptions;
  readonly #deployment: Deployment;
  readonly #registry: WorkerRegistry;
  readonly #exchange: ExchangeStreams;
  readonly #senders = new Map<string, ControlSender>();
  readonly #remotes = new Map<number, RemoteHost>();
  readonly #listeners = new Map<number, (report: HostReport) => void>();
  #link: RedisLink | null = null;
  #open = 0;
  #ended = false;
  #cancelWatch: () => void = () => {};

  constructor(options: WorkersOptions, deployment: Deployment) {
    this.#options = options;
    this.#deployment = deployment;
    this.#registry = new WorkerRegistry(options.cluster);
    this.#exchange = new ExchangeStreams(options.cluster);
  }

  async open(previous: ReadonlyMap<number, string>): Promise<readonly HostHandle[]> {
    const { job, generation } = this.#deployment;
    this.#link = await this.#options.openLink();
    this.workers = await this.#findSlots(previous);
    await this.#exchange.dropBefore(job, generation);
    await this.#exchange.create({ job, generation, hosts: this.workers.map((_, host) => `${host}`) });
    void this.#read(this.#link);
    this.#watch();
    for (const [worker, hosts] of Map.groupBy(this.workers.keys(), (host) => this.workers[host] as string)) {
      const start = { job, generation, bundle: this.#options.bundle, hosts };
      this.#tell(worker, { kind: 'start', start });
    }
    this.#open = this.workers.length;
    const opening = await Promise.allSettled(this.workers.map((_, host) => this.#openHost(host)));
    const failed = opening.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return opening.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  /** The attempt is over: workers let go of its hosts. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelWatch();
    const { job, generation } = this.#deployment;
    const releasing = [...this.#senders.values()].map((sender) => sender.send({ kind: 'release' }));
    await Promise.allSettled(releasing);
    await this.#exchange.drop(job, generation).catch(() => 0);
    this.#link?.close();
  }

  /** Waits for enough free slots; what older generations of the job hold is asked for first. */
  async #findSlots(previous: ReadonlyMap<number, string>): Promise<readonly string[]> {
    const { clock } = this.#options.cluster;
    const { job, parallelism } = this.#deployment;
    const begunMs = clock.monotonic();
    const asked = new Set<string>();
    for (;;) {
      const workers = await this.#registry.list();
      for (const { id } of workers) if (!asked.has(id)) this.#tell(id, { kind: 'make-room' });
      for (const { id } of workers) asked.add(id);
      const assigned = assignSlots({ workers, parallelism, previous });
      if (assigned.kind === 'placed') return assigned.places;
      if (clock.monotonic() - begunMs > LIMITS.slotPatienceMs) throw tooFewSlots(job, parallelism, workers);
      await clock.sleep(LIMITS.slotPollMs);
    }
  }

  #openHost(host: number): Promise<RemoteHost> {
    const worker = this.workers[host] as string;
    const port = {
      post: (command: HostCommand) => this.#tell(worker, { kind: 'host', host, command }),
      listen: (arrived: (report: HostReport) => void) => void this.#listeners.set(host, arrived),
    };
    const deployment = { ...this.#deployment, host, places: this.workers.map((_, slot) => slot) };
    return RemoteHost.open(
      port,
      deployment,
      () => this.#release(),
      (remote) => void this.#remotes.set(host, remote),
    );
  }

  /** Hosts are closed one by one; the last one closes what they share. */
  async #release(): Promise<void> {
    if (--this.#open === 0) await this.end();
  }

  #tell(worker: string, command: WorkerCommand): void {
    let sender = this.#senders.get(worker);
    if (sender === undefined) {
      const { cluster } = this.#options;
      const { job, generation } = this.#deployment;
      const inbox = workerInbox(cluster.namespace, worker);
      sender = new ControlSender(cluster, { inbox, sender: job, job, generation });
      this.#senders.set(worker, sender);
    }
    sender.send(command).catch((error: unknown) => this.#loseWorker(worker, error));
  }

  async #read(link: RedisLink): Promise<void> {
    const { cluster } = this.#options;
    const { job, generation } = this.#deployment;
    const reader = new ControlReader({
      link,
      clock: cluster.clock,
      inbox: coordinatorInbox(cluster.namespace, job, generation),
    });
    try {
      while (!this.#ended) for (const { body } of await reader.receive()) this.#arrived(body as WorkerReport);
    } catch (error) {
      if (!this.#ended) for (const remote of this.#remotes.values()) remote.lost(error);
    }
  }

  #arrived(message: WorkerReport): void {
    if (message.kind === 'host') this.#listeners.get(message.host)?.(message.report);
    else this.#remotes.get(message.host)?.lost(errorOf(message.error));
  }

  /** Looks every now and then who is still there, and as soon as one may be gone. */
  #watch(inMs: number = LIMITS.workerLookMs): void {
    const { clock } = this.#options.cluster;
    this.#cancelWatch = clock.after(inMs, () => void this.#lookAtWorkers());
  }

  async #lookAtWorkers(): Promise<void> {
    for (const [worker, sender] of this.#senders)
      sender.confirm().catch((error: unknown) => this.#loseWorker(worker, error));
    const workers = await this.#registry.list().catch(() => null);
    if (this.#ended) return;
    const living = new Map(workers?.map(({ id, expiresInMs }) => [id, expiresInMs]));
    let nextMs: number = LIMITS.workerLookMs;
    for (const worker of new Set(workers === null ? [] : this.workers)) {
      const expiresInMs = living.get(worker);
      if (expiresInMs === undefined) this.#loseWorker(worker, workerGone(worker));
      else nextMs = Math.min(nextMs, expiresInMs + 1);
    }
    this.#watch(nextMs);
  }

  #loseWorker(worker: string, error: unknown): void {
    if (this.#ended) return;
    for (const [host, remote] of this.#remotes) if (this.workers[host] === worker) remote.lost(error);
  }
}

/** Slots that a job may be given now. */
export function freeSlots(workers: readonly LivingWorker[]): number {
  return workers.reduce((sum, worker) => sum + (worker.draining ? 0 : worker.slots - worker.used), 0);
}

export function tooFewSlots(
  job: string,
  parallelism: number,
  workers: readonly LivingWorker[],
): MillraceError {
  return new MillraceError(
    'MR_SLOTS_SHORT',
    `Job '${job}' needs ${parallelism} slots; ${workers.length} workers have ${freeSlots(workers)} free. Start more workers, give them more slots, or lower the parallelism.`,
    { details: { job, parallelism } },
  );
}

function workerGone(worker: string): MillraceError {
  return new MillraceError(
    'MR_HOST_LOST',
    `Worker '${worker}' has not been heard of for too long. Its part of the job restarts on other workers.`,
    { details: { worker } },
  );
}
