import { LIMITS } from '../base/limits.ts';
import type { ClusterContext } from './cluster-context.ts';
import type { DesiredJob } from './job-commands.ts';
import { type JobLease, JobLeases } from './job-lease.ts';
import { JobRegistry } from './job-registry.ts';

/** A job that this process coordinates. */
export interface Coordination {
  /** Resolves when the lease is over or given back, and the job may be looked at again. */
  readonly done: Promise<void>;
  /** Gives the job up for another coordinator, after a last checkpoint. */
  readonly leave: () => Promise<void>;
}

export interface SupervisorOptions {
  readonly cluster: ClusterContext;
  /** Who it is, for people: host and process id. */
  readonly owner: string;
  /** Begins to coordinate a job whose lease was got for it: a {@link JobCoordination}, here or in a thread of its own. */
  readonly coordinate: (leases: JobLeases, lease: JobLease, desired: DesiredJob) => Coordination;
  /** Whether the job's code can be had here; jobs without are left to others. Default: always. */
  readonly knows?: (desired: DesiredJob) => boolean;
}

/**
 * Stands by to coordinate any job that should run and has no coordinator. Every worker process has one.
 * Owns the coordinations that it got. Suspends between looks.
 *
 * JS1 it acts only for jobs whose lease it has got; which of several gets it is Redis' business.
 */
export class JobSupervisor {
  readonly #options: SupervisorOptions;
  readonly #registry: JobRegistry;
  readonly #leases: JobLeases;
  readonly #coordinations = new Map<string, Coordination>();
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#registry = new JobRegistry(options.cluster);
    this.#leases = new JobLeases(options.cluster);
    this.#done = this.#run();
  }

  /** Jobs that are coordinated here. */
  get jobs(): readonly string[] {
    return [...this.#coordinations.keys()];
  }

  /** Leaves its jobs to others, each after a last checkpoint. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#done;
    await Promise.all([...this.#coordinations.values()].map((one) => one.leave()));
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.cluster;
    while (!this.#stopped.signal.aborted) {
      await this.#look().catch(() => {}); // Redis is away; what runs goes on as it can
      await clock.sleep(LIMITS.supervisorLookMs, this.#stopped.signal);
    }
  }

  async #look(): Promise<void> {
    const { owner, coordinate, knows } = this.#options;
    for (const desired of await this.#registry.jobs()) {
      if (desired.desired !== 'running' || this.#coordinations.has(desired.name)) continue;
      if (knows !== undefined && !knows(desired)) continue;
      if (this.#stopped.signal.aborted) return;
      const lease = await this.#leases.acquire(desired.name, owner);
      if (lease === null) continue;
      const coordination = coordinate(this.#leases, lease, desired);
      this.#coordinations.set(desired.name, coordination);
      void coordination.done.then(() => this.#coordinations.delete(desired.name));
    }
  }
}
