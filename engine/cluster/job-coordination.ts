import { checkpointId } from '../base/brand.ts';
import { ERROR_CATALOGUE, errorCode } from '../base/errors.ts';
import { errorRecord } from '../host/host-messages.ts';
import { LIMITS } from '../base/limits.ts';
import type { RestoreFrom } from '../coordinator/choose-restore.ts';
import { type JobEnvironment, runJob } from '../coordinator/job-runner.ts';
import type { JobHandle, JobState } from '../coordinator/job-status.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { ClusterContext } from './cluster-context.ts';
import type { DesiredJob, JobRequest, JsonObject } from './job-commands.ts';
import type { JobLeases, JobLease } from './job-lease.ts';
import { JobRegistry } from './job-registry.ts';
import { freeSlots, tooFewSlots } from './hosts-on-workers.ts';
import { WorkerRegistry } from './worker-registry.ts';
import { keepLease, type LeaseKeeper } from './keep-lease.ts';

export interface CoordinationOptions {
  readonly cluster: ClusterContext;
  readonly leases: JobLeases;
  readonly lease: JobLease;
  readonly desired: DesiredJob;
  /** The job's plan with these options changed, and what it runs on. */
  readonly load: (desired: DesiredJob) => Promise<LoadedPlan>;
}

export interface LoadedPlan {
  readonly graph: JobGraph;
  readonly environment: JobEnvironment;
  /** Worker by slot, where the newest attempt runs on workers. */
  readonly workers?: () => readonly string[];
}

/** The state that a job that has ended by itself is kept in. */
const ENDED: ReadonlySet<JobState> = new Set(['finished', 'stopped', 'cancelled', 'failed']);

/**
 * One job coordinated under one lease: has it be what it should be, answers requests, and publishes its status.
 * Owns the lease and the running job. Suspends between looks.
 *
 * JC1 when the lease is lost the job is dropped at once, without a last checkpoint: another coordinator goes on with it.
 * JC2 a request is answered once, whether it succeeds or fails; one that was under way when its coordinator died is begun again.
 * JC3 a job that has ended by itself is noted as not to be run, before its lease is given back; so is one that cannot be planned at
 *     all, unless trying again may help.
 * JC4 a job with slots on a draining worker restarts from a new checkpoint as soon as others have room for all of it.
 * JC5 a job that a request has stopped is not begun again here, and its lease is kept until the desired state says so.
 * JC6 that another coordinator has taken the job over is no failure of the job: a fail-over may have lost a lease, so that there were two.
 *     Whoever still has one after a while begins again; only when that does not end it is the job's failure.
 */
export class JobCoordination {
  readonly job: string;
  readonly done: Promise<void>;
  readonly #options: CoordinationOptions;
  readonly #registry: JobRegistry;
  readonly #keeper: LeaseKeeper;
  readonly #answering = new Map<string, Promise<void>>();
  #handle: JobHandle | null = null;
  #desired: DesiredJob;
  #version = 0;
  #lost = false;
  #leaving = false;
  #stopping = false;
  /** By a request that says so in the desired state only when the job has stopped. */
  #stopRequested = false;
  #moving = false;
  /** Of the newest desired state that the running job meets, as far as it is met by starting it anew. */
  #revision = 0;
  #fencedInRow = 0;
  #look: () => void = () => {};

  constructor(options: CoordinationOptions) {
    const { cluster, leases, lease, desired } = options;
    this.job = desired.name;
    this.#options = options;
    this.#desired = desired;
    this.#registry = new JobRegistry(cluster);
    this.#keeper = keepLease(leases, lease, { clock: cluster.clock, lost: () => this.#onLost() });
    this.done = this.#run();
  }

  /** Gives the job up for another coordinator, after a last checkpoint. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#handle?.stop();
    this.#look();
    await this.done;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#over && !this.#stopRequested && this.#desired.desired === 'running')
        await this.#runVersion();
    } catch (error) {
      await this.#noteFailure(error);
    }
    if (!this.#lost) await Promise.all(this.#answering.values()); // JC5
    if (!this.#lost) await this.#keeper.release().catch(() => {});
  }

  /** Runs the job as it is desired now, until it ends or something else is desired. */
  async #runVersion(): Promise<void> {
    const { graph, environment, workers } = await this.#options.load(this.#desired);
    const restoreFrom = restoreFromOf(this.#desired.settings);
    const handle = runJob(graph, { ...environment, ...(restoreFrom === null ? {} : { restoreFrom }) });
    this.#handle = handle;
    this.#revision = this.#desired.revision;
    this.#stopping = false;
    const unlisten = handle.onChange(() => this.#look());
    const running = this.#desired;
    while (!this.#over && !ENDED.has(handle.status().state)) {
      await this.#follow(handle, running);
      if (workers !== undefined && !this.#moving) void this.#leaveDraining(handle, workers());
      await this.#publish(handle);
      await this.#wait();
    }
    unlisten();
    if (this.#lost) await handle.cancel();
    await handle.done;
    await this.#ended(handle, running);
  }

  get #over(): boolean {
    return this.#lost || this.#leaving || !this.#keeper.held();
  }

  /** Brings the running job nearer to what is desired, and begins what is requested. */
  async #follow(handle: JobHandle, running: DesiredJob): Promise<void> {
    const { name } = running;
    try {
      const [desired, pending] = await Promise.all([
        this.#registry.desired(name),
        this.#registry.pending(name),
      ]);
      if (desired !== null) this.#desired = desired;
      for (const request of pending) this.#begin(handle, request);
    } catch {
      return; // Redis is away: the job itself knows what to do about that
    }
    const { desired, bundle, revision } = this.#desired;
    if (desired === 'cancelled') void handle.cancel();
    const changed = bundle !== running.bundle && revision > running.revision;
    if (!changed) this.#revision = revision;
    if (!this.#stopping && (desired === 'stopped' || changed)) {
      this.#stopping = true;
      void handle.stop();
    }
  }

  /** JC4 */
  async #leaveDraining(handle: JobHandle, places: readonly string[]): Promise<void> {
    this.#moving = true;
    try {
      const workers = await new WorkerRegistry(this.#options.cluster).list();
      const draining = new Set(workers.filter((worker) => worker.draining).map(({ id }) => id));
      const staying = places.filter((id) => !draining.has(id)).length;
      const { state, parallelism } = handle.status();
      const possible = state === 'running' && !this.#stopping && freeSlots(workers) + staying >= parallelism;
      if (possible && places.some((id) => draining.has(id))) await handle.rescale(parallelism);
    } catch {
      // begun again at a later look, unless the worker is gone by then
    }
    this.#moving = false;
  }

  #begin(handle: JobHandle, request: JobRequest): void {
    if (!this.#answering.has(request.id)) this.#answering.set(request.id, this.#answer(handle, request));
  }

  async #answer(handle: JobHandle, request: JobRequest): Promise<void> {
    const answer = await this.#carryOut(handle, request).then(
      (result) => ({ state: 'done', result }) as const,
      (error: unknown) => {
        const { code, message } = errorRecord(error);
        return { state: 'failed', result: { code, message } } as const;
      },
    );
    if (!this.#lost) await this.#registry.settle(this.#keeper.lease(), request.id, answer).catch(() => {});
    this.#answering.delete(request.id);
    this.#look();
  }

  async #carryOut(handle: JobHandle, { id, kind, args }: JobRequest): Promise<JsonObject> {
    const { store } = (await this.#options.load(this.#desired)).environment;
    switch (kind) {
      case 'savepoint':
        return { savepoint: await handle.savepoint() };
      case 'stop-with-savepoint': {
        this.#stopping = true;
        this.#stopRequested = true;
        const savepoint = await handle.stop({ savepoint: true, drain: args['drain'] === true });
        await this.#registry.change(this.job, `${id}.stop`, { desired: 'stopped' });
        return { savepoint };
      }
      case 'rescale': {
        const parallelism = Number(args['parallelism']);
        await this.#refuseTooMany(parallelism, handle.status().parallelism);
        const entry = await handle.rescale(parallelism);
        if (entry.outcome === 'completed')
          await this.#registry.change(this.job, `${id}.rescale`, { parallelism });
        return { ...entry };
      }
      case 'restart':
        return { ...(await handle.rescale(handle.status().parallelism)) };
      case 'remove-checkpoint':
        await store.remove(this.job, checkpointId(Number(args['checkpoint'])));
        return {};
      case 'fork': {
        const checkpoint = Number(args['checkpoint'] ?? (await handle.savepoint()));
        const name = String(args['name']);
        await this.#registry.change(name, `${id}.fork`, {
          bundle: typeof args['bundle'] === 'string' ? args['bundle'] : this.#desired.bundle,
          parallelism: this.#desired.parallelism,
          desired: 'running',
          settings: { restoreFrom: { job: this.job, checkpoint, asOf: 0 } },
        });
        return { job: name, checkpoint };
      }
    }
  }

  /** Before the job is stopped for it: what it uses now is free then. */
  async #refuseTooMany(parallelism: number, own: number): Promise<void> {
    const workers = await new WorkerRegistry(this.#options.cluster).list();
    if (freeSlots(workers) + own < parallelism) throw tooFewSlots(this.job, parallelism, workers);
  }

  async #publish(handle: JobHandle): Promise<void> {
    if (this.#lost || (wasFenced(handle) && this.#fencedInRow <= FENCED_IN_ROW_MAX)) return;
    const document = this.#document(handle.status());
    await this.#registry.publishStatus(this.#keeper.lease(), ++this.#version, document).catch(() => {});
  }

  /** The status with the revision of the desired state that it tells of. */
  #document(status: object): Buffer {
    return Buffer.from(JSON.stringify({ ...status, revision: this.#revision }));
  }

  /** Until something changes, or for a while. */
  #wait(): Promise<void> {
    const woken = new AbortController();
    this.#look = () => woken.abort();
    return this.#options.cluster.clock.sleep(LIMITS.coordinationLookMs, woken.signal);
  }

  async #ended(handle: JobHandle, { desired }: DesiredJob): Promise<void> {
    if (handle.status().checkpoints.completed > 0) this.#fencedInRow = 0;
    if (wasFenced(handle) && ++this.#fencedInRow <= FENCED_IN_ROW_MAX) {
      // Renewed every third of its time, the other lease is over by then, or this one is.
      return this.#options.cluster.clock.sleep(this.#keeper.lease().ttlMs / 2);
    }
    await this.#publish(handle);
    const { state, generation } = handle.status();
    const byItself = state === 'finished' || state === 'failed';
    if (this.#over || !byItself || desired !== 'running') return;
    const change = { desired: 'stopped' } as const;
    await this.#registry.change(this.job, `ended.${generation}`, change).catch(() => {});
    this.#desired = { ...this.#desired, ...change };
  }

  #onLost(): void {
    this.#lost = true;
    void this.#handle?.cancel();
    this.#look();
  }

  /** What keeps a job from being planned at all is published in place of its status. */
  async #noteFailure(error: unknown): Promise<void> {
    if (this.#lost) return;
    this.#revision = this.#desired.revision;
    const { code, message } = errorRecord(error);
    const known = errorCode(error);
    if (known !== null && ERROR_CATALOGUE[known].retry !== 'never')
      return this.#options.cluster.clock.sleep(LIMITS.coordinationLookMs);
    const document = this.#document({ name: this.job, state: 'failed', code, message });
    await this.#registry.publishStatus(this.#keeper.lease(), ++this.#version, document).catch(() => {});
    await this.#registry
      .change(this.job, `failed.${this.#desired.revision}`, { desired: 'stopped' })
      .catch(() => {});
  }
}

/** Codes of an attempt that was replaced by a newer one. */
const FENCED: ReadonlySet<string> = new Set(['MR_CHECKPOINT_FENCED', 'MR_SINK_FENCED', 'MR_LOG_FENCED']);
const FENCED_IN_ROW_MAX = 5;

/** True when the job was given up because a newer generation of it runs, or has run. */
function wasFenced(handle: JobHandle): boolean {
  const { state, failures } = handle.status();
  return state === 'failed' && FENCED.has(failures[0]?.code ?? '');
}

function restoreFromOf(settings: JsonObject): RestoreFrom | null {
  const from = settings['restoreFrom'] as
    | { readonly job: string; readonly checkpoint: number; readonly asOf: number }
    | undefined;
  return from === undefined ? null : { ...from, checkpoint: checkpointId(from.checkpoint) };
}
