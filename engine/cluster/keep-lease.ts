import type { Clock } from '../base/clock.ts';
import type { JobLease, JobLeases } from './job-lease.ts';

/** Why a lease is over: another call took it, or the server was not heard in time. */
export type LeaseLoss = 'taken' | 'expired';

export interface LeaseKeeper {
  /** As last renewed. */
  readonly lease: () => JobLease;
  /** Whether this process may act as coordinator at this instant. Once false it stays false. */
  readonly held: () => boolean;
  /** Stops renewing and gives the lease back; `lost` is not called any more. @throws MR_REDIS_UNAVAILABLE */
  readonly release: () => Promise<void>;
}

export interface KeepLeaseOptions {
  readonly clock: Clock;
  /** Called once, when the lease is over and was not released. */
  readonly lost: (why: LeaseLoss) => void;
}

/**
 * Renews a lease every third of its ttl, and says when it is over.
 * Owns two timers and one renewal under way. Suspends while renewing and in `release`.
 *
 * KL1 `held` turns false, and `lost` falls due, a tenth of the ttl before the server can have let go: counted by the monotonic clock
 *     from when the last confirmed renewal was sent. A process that was frozen for longer finds so at its next look or tick.
 * KL2 Once over, always over: a renewal that is confirmed later changes nothing.
 * KL3 A renewal that fails is tried again until the time is up; only the server's no, or time, ends a lease.
 */
export function keepLease(leases: JobLeases, lease: JobLease, options: KeepLeaseOptions): LeaseKeeper {
  const keeper = new Keeper(leases, lease, options);
  keeper.start();
  return keeper;
}

class Keeper implements LeaseKeeper {
  readonly #leases: JobLeases;
  readonly #options: KeepLeaseOptions;
  #lease: JobLease;
  #phase: 'held' | 'lost' | 'released' = 'held';
  #cancelRenewal: () => void = () => undefined;
  #cancelDeadline: () => void = () => undefined;

  constructor(leases: JobLeases, lease: JobLease, options: KeepLeaseOptions) {
    this.#leases = leases;
    this.#lease = lease;
    this.#options = options;
  }

  /** Sets both timers for the lease as it is now. */
  start(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#at(this.#deadline(), () => this.#lose('expired'));
    this.#renewAt(this.#lease.sentAtMs + this.#lease.ttlMs / 3);
  }

  lease(): JobLease {
    return this.#lease;
  }

  held(): boolean {
    return this.#phase === 'held' && this.#options.clock.monotonic() < this.#deadline();
  }

  async release(): Promise<void> {
    if (this.#phase === 'held') this.#end('released');
    await this.#leases.release(this.#lease);
  }

  async #renew(): Promise<void> {
    if (!this.held()) return this.#lose('expired');
    const began = this.#options.clock.monotonic();
    const renewed = await this.#leases.renew(this.#lease).catch(() => 'unanswered' as const);
    if (!this.held()) return this.#lose('expired');
    if (renewed === 'unanswered') return this.#renewAt(began + this.#lease.ttlMs / 10);
    if (renewed === null) return this.#lose('taken');
    this.#lease = renewed;
    this.start();
  }

  #lose(why: LeaseLoss): void {
    if (this.#phase !== 'held') return;
    this.#end('lost');
    this.#options.lost(why);
  }

  #end(phase: 'lost' | 'released'): void {
    this.#phase = phase;
    this.#cancelRenewal();
    this.#cancelDeadline();
  }

  #deadline(): number {
    return this.#lease.sentAtMs + this.#lease.ttlMs * 0.9;
  }

  #renewAt(monotonicMs: number): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.#at(monotonicMs, () => void this.#renew());
  }

  #at(monotonicMs: number, run: () => void): () => void {
    const { clock } = this.#options;
    return clock.after(Math.max(1, monotonicMs - clock.monotonic()), run);
  }
}
