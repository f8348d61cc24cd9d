import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type JobKeys, jobKeys } from '../redis/keys.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';

/** Proof that its holder may coordinate a job, for a while. */
export interface JobLease {
  readonly job: string;
  /** For people: which process holds it. */
  readonly owner: string;
  /** `<fencing number>:<uuid>`, compared for equality; the number rises with every lease of the job. */
  readonly leaseToken: string;
  readonly ttlMs: number;
  /** Monotonic time at which the call that gave or renewed it was sent: the server keeps it until this + `ttlMs` at least. */
  readonly sentAtMs: number;
}

/**
 * One coordinator per job, by a key in Redis that runs out.
 * Owns nothing; suspends at every call. A call may reach the server twice (RC2), which changes nothing.
 *
 * JL1 At one instant of the server at most one token is in the lease, and a token that has left it never comes back.
 * JL2 Where clocks run at one rate, a lease is in the server at least until `sentAtMs + ttlMs` of its holder's monotonic clock, unless
 *     it was released or given up (JL3), or the server lost writes. (The server counts by its wall clock: one that is put forward
 *     shortens leases.)
 * JL3 A lease that was not renewed for LIMITS.leaseSilentMs and whose holder's link has no connection to the server is taken before its
 *     time: its process has ended.
 *
 * The lease keeps two coordinators from working at once; it is not what makes that harmless. A fail-over can lose it and a machine
 * that sleeps can outlive it: who may publish is decided by the checkpoint store's token alone, and a new holder takes over there first.
 */
export class JobLeases {
  readonly #context: ClusterContext;

  constructor(context: ClusterContext) {
    this.#context = context;
  }

  /** The lease, or null while somebody holds it. @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE */
  async acquire(job: string, owner: string, ttlMs: number = LIMITS.leaseTtlMs): Promise<JobLease | null> {
    const { link, clock, uuid } = this.#context;
    const keys = this.#keys(job);
    checkTtl(ttlMs);
    const sentAtMs = clock.monotonic();
    const args = [uuid(), owner.slice(0, LIMITS.nameLengthMax), ttlMs, link.name];
    const reply = await link.script(CLUSTER_SCRIPTS.acquireLease, [keys.lease, keys.leases], args);
    const [kind, leaseToken, leftMs = 0, holder = null] = reply as AcquireReply;
    if (kind === 'held') {
      if (holder === null || ttlMs - leftMs < LIMITS.leaseSilentMs) return null;
      if (!(await link.missing(keys.lease, [holder])).has(holder)) return null;
      await this.release({ job, leaseToken });
      return this.acquire(job, owner, ttlMs);
    }
    const lease = { job, owner, leaseToken, ttlMs, sentAtMs };
    if (clock.monotonic() - sentAtMs < ttlMs) return lease;
    await this.release(lease); // the answer came too late to be of use
    return null;
  }

  /** The lease with its time begun anew, or null when it is not its holder's any more. @throws MR_REDIS_UNAVAILABLE */
  async renew(lease: JobLease): Promise<JobLease | null> {
    const { link, clock } = this.#context;
    const sentAtMs = clock.monotonic();
    const args = [lease.leaseToken, lease.ttlMs, link.name];
    const keys = this.#keys(lease.job);
    const renewed = await link.script(CLUSTER_SCRIPTS.renewLease, [keys.lease, keys.leases], args);
    return renewed === 1 ? { ...lease, sentAtMs } : null;
  }

  /** Gives it back, so that another need not wait; nothing happens when it is not the holder's any more. @throws MR_REDIS_UNAVAILABLE */
  async release(lease: Pick<JobLease, 'job' | 'leaseToken'>): Promise<void> {
    const { lease: key } = this.#keys(lease.job);
    await this.#context.link.script(CLUSTER_SCRIPTS.releaseLease, [key], [lease.leaseToken]);
  }

  /** Who coordinates the job now, for people; null when nobody does. @throws MR_REDIS_UNAVAILABLE */
  async holder(job: string): Promise<{ readonly leaseToken: string; readonly owner: string } | null> {
    const keys = this.#keys(job);
    const newest = await this.#context.link.call('HMGET', keys.leases, 'token', 'owner');
    const [leaseToken, owner] = newest as [string | null, string | null];
    const held = await this.#context.link.call('GET', keys.lease);
    return leaseToken === null || held !== leaseToken ? null : { leaseToken, owner: owner ?? '' };
  }

  #keys(job: string): JobKeys {
    return jobKeys(this.#context.namespace, job);
  }
}

type AcquireReply =
  | readonly [kind: 'acquired', leaseToken: string]
  | readonly [kind: 'held', leaseToken: string, leftMs: number, link: string | null];

function checkTtl(ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs >= LIMITS.leaseTtlMsMin && ttlMs <= LIMITS.leaseTtlMsMax) return;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `A lease of ${ttlMs} ms is not possible: use ${LIMITS.leaseTtlMsMin} to ${LIMITS.leaseTtlMsMax} ms.`,
  );
}
