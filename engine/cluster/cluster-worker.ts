import { hasCode, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { HostThread } from '../host/thread-hosts.ts';
import { errorRecord } from '../host/host-messages.ts';
import { coordinatorInbox, workerInbox } from '../redis/keys.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { ClusterContext } from './cluster-context.ts';
import type { ControlMessage } from './control-message.ts';
import { ControlReader } from './control-reader.ts';
import { ControlSender } from './control-sender.ts';
import { JobLeases } from './job-lease.ts';
import { JobRegistry } from './job-registry.ts';
import { keepRegistered, type RegistrationKeeper } from './keep-registered.ts';
import type { HostsStart, WorkerCommand, WorkerReport } from './worker-messages.ts';
import { type WorkerDescription, WorkerRegistry } from './worker-registry.ts';

export interface ClusterWorkerOptions {
  readonly cluster: ClusterContext;
  /** Opens the link that commands are waited for on. */
  readonly openLink: () => Promise<RedisLink>;
  readonly description: Omit<WorkerDescription, 'id'>;
  /** Starts a job's hosts here, each in a thread of its own. */
  readonly startHosts: (start: HostsStart) => Promise<ReadonlyMap<number, HostThread>>;
}

/**
 * One worker: offers slots, and runs hosts for whoever coordinates a job.
 * Owns its registration and the hosts that run here. Suspends while it waits for commands.
 *
 * CW1 of one job, hosts of one generation run at most: a newer one ends the older before it starts, and the older one's coordinator hears
 *     of it: it may be the one that has the lease.
 * CW2 a worker that was given up, or of which commands or reports were lost, ends everything and comes back as a new one, under a new id.
 * CW3 hosts of a job that is not to run and that nobody coordinates are ended: its coordinator died while it stopped the job.
 * CW4 it runs no more hosts than it has slots, whatever coordinators believe.
 */
export class ClusterWorker {
  readonly #options: ClusterWorkerOptions;
  readonly #registry: WorkerRegistry;
  readonly #done = Promise.withResolvers<void>();
  #session: Session | null = null;
  #stopping = false;

  constructor(options: ClusterWorkerOptions) {
    this.#options = options;
    this.#registry = new WorkerRegistry(options.cluster);
    void this.#run();
  }

  /** Resolves when it was stopped and everything here has ended. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Id under which it is registered now, or null. */
  get id(): string | null {
    return this.#session?.id ?? null;
  }

  /** Slots that are in use. */
  get used(): number {
    return this.#session?.used ?? 0;
  }

  /** Takes nothing new, so that coordinators move what runs here; {@link stop} follows when nothing does. */
  drain(): void {
    this.#session?.drain();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#session?.end();
    await this.done;
  }

  async #run(): Promise<void> {
    const { cluster } = this.#options;
    while (!this.#stopping) {
      try {
        this.#session = await Session.open(this.#options, this.#registry);
        if (this.#stopping) await this.#session.end();
        await this.#session.serve();
      } catch {
        // Whatever it was, nothing of it is left; the registration tells that it was away.
        await cluster.clock.sleep(LIMITS.workerHeartbeatMs);
      } finally {
        await this.#session?.end();
        this.#session = null;
      }
    }
    this.#done.resolve();
  }
}

/** What runs here of one job. */
interface RunningHosts {
  readonly generation: number;
  /** Tells the coordinator that all of them are lost. */
  readonly lost: (error: MillraceError) => void;
  readonly sender: ControlSender;
  readonly threads: Promise<ReadonlyMap<number, HostThread>>;
  readonly slots: number;
}

/** One registration, from its first message to its end. */
class Session {
  readonly id: string;
  readonly #options: ClusterWorkerOptions;
  readonly #link: RedisLink;
  readonly #reader: ControlReader;
  readonly #jobs = new Map<string, RunningHosts>();
  readonly #registry: JobRegistry;
  readonly #leases: JobLeases;
  #keeper: RegistrationKeeper | null = null;
  #draining = false;
  #ended = false;
  #cancelLook: () => void = () => {};
  #cancelConfirm: () => void = () => {};

  private constructor(id: string, options: ClusterWorkerOptions, link: RedisLink) {
    const { cluster } = options;
    this.id = id;
    this.#options = options;
    this.#link = link;
    this.#registry = new JobRegistry(cluster);
    this.#leases = new JobLeases(cluster);
    this.#reader = new ControlReader({
      link,
      clock: cluster.clock,
      inbox: workerInbox(cluster.namespace, id),
    });
  }

  static async open(options: ClusterWorkerOptions, registry: WorkerRegistry): Promise<Session> {
    const { cluster, description } = options;
    const session = new Session(cluster.uuid(), options, await options.openLink());
    try {
      await registry.register({ ...description, id: session.id });
      session.#keeper = keepRegistered(registry, {
        clock: cluster.clock,
        id: session.id,
        load: () => ({ used: session.used, draining: session.#draining }),
        lost: () => void session.end(),
      });
      session.#lookForOrphans();
      session.#confirmReports();
      return session;
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  get used(): number {
    return [...this.#jobs.values()].reduce((sum, { slots }) => sum + slots, 0);
  }

  drain(): void {
    this.#draining = true;
    this.#keeper?.beat();
  }

  /** Follows commands until it is ended; rejects when some were lost. */
  async serve(): Promise<void> {
    while (!this.#ended) for (const message of await this.#reader.receive()) await this.#follow(message);
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelLook();
    this.#cancelConfirm();
    const leaving = this.#keeper?.leave().catch(() => {});
    await Promise.all([...this.#jobs.keys()].map((job) => this.#endJob(job)));
    await leaving;
    this.#link.close();
  }

  /** CW2: a coordinator waits for what it was told already, as this worker believes. */
  #confirmReports(): void {
    this.#cancelConfirm = this.#options.cluster.clock.after(LIMITS.workerLookMs, () => {
      for (const { sender } of this.#jobs.values()) this.#watchFor(sender.confirm());
      this.#confirmReports();
    });
  }

  /** A coordinator that takes no reports any more is one that has been replaced; its successor ends the hosts. One that lost some is not. */
  #watchFor(sending: Promise<void>): void {
    sending.catch((error: unknown) => {
      const isLost = error instanceof MillraceError && error.details['refusal'] === 'gap';
      if (isLost) void this.end();
    });
  }

  #lookForOrphans(): void {
    const { clock } = this.#options.cluster;
    this.#cancelLook = clock.after(LIMITS.orphanLookMs, () => void this.#endOrphans());
  }

  async #endOrphans(): Promise<void> {
    // Redis may be away: the next look tells.
    await Promise.allSettled([...this.#jobs].map(([job, running]) => this.#endOrphan(job, running)));
    if (!this.#ended) this.#lookForOrphans();
  }

  /** CW3. The lease is looked at last: whoever wants the job afterwards coordinates it as another generation. */
  async #endOrphan(job: string, running: RunningHosts): Promise<void> {
    const desired = await this.#registry.desired(job);
    if (desired?.desired === 'running' || (await this.#leases.holder(job)) !== null) return;
    if (this.#jobs.get(job) === running) await this.#endJob(job);
  }

  async #follow({ job, generation, body }: ControlMessage): Promise<void> {
    if (this.#ended) return;
    const command = body as WorkerCommand;
    const running = this.#jobs.get(job);
    if (running !== undefined && running.generation < generation) {
      await this.#endJob(job);
      running.lost(replaced(job, generation));
    }
    switch (command.kind) {
      case 'make-room':
        return this.#keeper?.beat();
      case 'start':
        return this.#start(command.start);
      case 'host': {
        const threads = await this.#jobs.get(job)?.threads.catch(() => null);
        return threads?.get(command.host)?.port.post(command.command);
      }
      case 'release':
        return running?.generation === generation ? this.#endJob(job) : undefined;
    }
  }

  #start(start: HostsStart): void {
    const { cluster, description, startHosts } = this.#options;
    const { job, generation, hosts } = start;
    const sender = new ControlSender(cluster, {
      inbox: coordinatorInbox(cluster.namespace, job, generation),
      sender: this.id,
      job,
      generation,
    });
    // Coordinators of two jobs may both have seen the same free slots.
    const free = description.slots - this.used;
    const fits = hosts.length <= free;
    const threads = fits ? startHosts(start) : Promise.reject(noRoom(job, hosts.length, free));
    const report = (message: WorkerReport) => this.#watchFor(sender.send(message));
    const lost = (error: MillraceError) => {
      for (const host of hosts) report({ kind: 'lost', host, error: errorRecord(error) });
    };
    this.#jobs.set(job, { generation, lost, sender, threads, slots: fits ? hosts.length : 0 });
    this.#keeper?.beat();
    threads.then(
      (started) => {
        for (const [host, thread] of started) {
          thread.port.listen((said) => report({ kind: 'host', host, report: said }));
          void thread.exited.then((why) => {
            if (why !== null) report({ kind: 'lost', host, error: errorRecord(why) });
          });
        }
      },
      (error: unknown) => lost(startFailed(job, error)),
    );
  }

  async #endJob(job: string): Promise<void> {
    const running = this.#jobs.get(job);
    if (running === undefined) return;
    this.#jobs.delete(job);
    const threads = await running.threads.catch(() => null);
    await Promise.all([...(threads?.values() ?? [])].map((thread) => thread.end()));
    this.#keeper?.beat();
  }
}

function noRoom(job: string, hosts: number, free: number): MillraceError {
  return new MillraceError(
    'MR_SLOTS_SHORT',
    `A worker was to run ${hosts} slots of job '${job}' and has ${free}: another job was faster. The job looks for slots again.`,
  );
}

function replaced(job: string, generation: number): MillraceError {
  return new MillraceError(
    'MR_HOST_LOST',
    `Another coordinator has started generation ${generation} of job '${job}' on a worker of this one.`,
  );
}

function startFailed(job: string, error: unknown): MillraceError {
  if (hasCode(error, 'MR_SLOTS_SHORT')) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new MillraceError('MR_HOST_LOST', `A worker cannot start job '${job}': ${why}`, { cause: error });
}
