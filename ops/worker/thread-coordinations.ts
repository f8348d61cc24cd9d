import { Worker } from 'node:worker_threads';
import {
  type ClusterContext,
  type Coordination,
  type DesiredJob,
  errorOf,
  errorText,
  type HostSettings,
  type JobLease,
  type JobLeases,
  JobRegistry,
  LIMITS,
  MillraceError,
} from '#engine';
import type { CoordinatorReport, CoordinatorThreadData } from './coordinator-thread.ts';
import type { JobSources } from './job-modules.ts';

export interface ThreadCoordinationOptions {
  readonly cluster: ClusterContext;
  readonly settings: HostSettings;
  readonly sources: JobSources;
  readonly owner: string;
  /** Told what goes wrong, for the process' own log. */
  readonly log: (line: string) => void;
}

/** How a coordinator's thread ended: in order, for want of what it runs on, or by the job's code. */
type ThreadEnd =
  | { readonly kind: 'over' }
  | { readonly kind: 'failed' | 'crashed'; readonly why: MillraceError };

/** Ends in a row, each within this time, after which a job whose coordinator keeps ending is stopped. */
const CRASHES_MAX = 3;
const CRASH_WINDOW_MS = 60_000;
const CRASH_PAUSE_MS = 1_000;
/** Higher than any that the thread has published under the same lease. */
const LAST_VERSION = 2 ** 50;

/**
 * Coordinates jobs in threads of their own.
 * Owns the threads, a spare one that has loaded Millrace already, and each lease until its thread has taken it over. Suspends while a
 * thread runs.
 *
 * TC1 a thread that has ended by itself renews nothing any more: its lease is given back at once.
 * TC2 a job whose code ends its coordinator again and again is stopped, and its status says why.
 */
export class ThreadCoordinations {
  readonly #options: ThreadCoordinationOptions;
  readonly #registry: JobRegistry;
  #spare: Worker | null = null;
  #cancelRefill: () => void = () => {};
  readonly #crashes = new Map<string, { readonly count: number; readonly atMs: number }>();

  constructor(options: ThreadCoordinationOptions) {
    this.#options = options;
    this.#registry = new JobRegistry(options.cluster);
    this.#refillLater();
  }

  /** Lets go of the spare thread; those that coordinate end by {@link Coordination.leave}. */
  async close(): Promise<void> {
    this.#cancelRefill();
    await this.#spare?.terminate();
  }

  start(leases: JobLeases, lease: JobLease, desired: DesiredJob): Coordination {
    const { settings, sources, owner } = this.#options;
    const { sentAtMs: _, ...rest } = lease;
    const data: CoordinatorThreadData = { lease: rest, desired, settings, sources, owner };
    const thread = this.#takeThread();
    thread.postMessage(data);
    const endRenewing = this.#renew(leases, lease);
    const ended = Promise.withResolvers<ThreadEnd>();
    let end: ThreadEnd | null = null;
    thread.on('message', (report: CoordinatorReport) => {
      if (report.kind === 'taken') endRenewing();
      else end = report.kind === 'over' ? { kind: 'over' } : { kind: 'failed', why: errorOf(report.error) };
    });
    thread.on('error', (error) => {
      end = { kind: 'crashed', why: crashed(desired.name, errorText(error)) };
    });
    thread.on('exit', (code) => {
      endRenewing();
      ended.resolve(end ?? { kind: 'crashed', why: crashed(desired.name, `exit code ${code}`) });
    });
    const done = ended.promise.then((how) => this.#ended(leases, lease, desired, how)).catch(() => {});
    return {
      done,
      async leave() {
        thread.postMessage({ kind: 'leave' });
        await done;
      },
    };
  }

  #takeThread(): Worker {
    const thread = this.#spare ?? newThread();
    thread.removeAllListeners('exit');
    this.#spare = null;
    this.#refillLater();
    return thread;
  }

  #refillLater(): void {
    this.#cancelRefill();
    this.#cancelRefill = this.#options.cluster.clock.after(LIMITS.spareThreadsAfterMs, () => {
      if (this.#spare !== null) return;
      this.#spare = newThread();
      this.#spare.once('error', () => {}); // a coordination that begins without it says why
      this.#spare.once('exit', () => (this.#spare = null));
    });
  }

  /** Until the thread has the lease. */
  #renew(leases: JobLeases, lease: JobLease): () => void {
    const { clock } = this.#options.cluster;
    let cancel = () => {};
    let over = false;
    const again = () => {
      cancel = clock.after(lease.ttlMs / 3, () => {
        leases.renew(lease).catch(() => {});
        if (!over) again();
      });
    };
    again();
    return () => {
      over = true;
      cancel();
    };
  }

  async #ended(leases: JobLeases, lease: JobLease, desired: DesiredJob, how: ThreadEnd): Promise<void> {
    const { name } = desired;
    if (how.kind === 'over') return void this.#crashes.delete(name);
    const { log, cluster } = this.#options;
    log(`The coordinator of job '${name}' has ended: ${how.why.message}`);
    if (how.kind === 'crashed' && this.#countCrash(name) >= CRASHES_MAX) {
      await this.#stopJob(lease, desired, how.why);
      this.#crashes.delete(name);
    }
    await leases.release(lease).catch(() => {});
    await cluster.clock.sleep(CRASH_PAUSE_MS);
  }

  /** TC2, unless somebody has changed the job since. */
  async #stopJob(lease: JobLease, { name, revision }: DesiredJob, why: MillraceError): Promise<void> {
    const { code, message } = why;
    const document = Buffer.from(JSON.stringify({ name, state: 'failed', code, message, revision }));
    await this.#registry.publishStatus(lease, LAST_VERSION, document).catch(() => {});
    const change = { desired: 'stopped' } as const;
    await this.#registry.change(name, `crashed.${revision}`, change, revision).catch(() => {});
  }

  #countCrash(name: string): number {
    const nowMs = this.#options.cluster.clock.monotonic();
    const before = this.#crashes.get(name);
    const count = before !== undefined && nowMs - before.atMs < CRASH_WINDOW_MS ? before.count + 1 : 1;
    this.#crashes.set(name, { count, atMs: nowMs });
    return count;
  }
}

function newThread(): Worker {
  return new Worker(new URL('./coordinator-thread-entry.mjs', import.meta.url));
}

function crashed(job: string, why: string): MillraceError {
  return new MillraceError(
    'MR_HOST_LOST',
    `The thread that coordinates job '${job}' has ended by itself: ${why}. Look whether the job's module ends its process or throws outside of its operators.`,
  );
}
