import type { Random } from '../../engine/base/random.ts';
import type { SimKernel } from './kernel.ts';
import type { SimProcess } from './process.ts';

/** What may happen to the next request of a process on its way. */
export type RequestFault = 'request-lost' | 'reply-lost' | 'late';

/** How long messages take, for whom there is no way through, and what is about to happen to requests. All by the seed. */
export class SimNetwork {
  readonly #kernel: SimKernel;
  readonly #random: Random;
  readonly #faults: { readonly role: string | null; readonly fault: RequestFault }[] = [];
  readonly #cuts = new Map<string | null, number>();
  #spike = { role: null as string | null, factor: 1, untilMs: 0 };

  constructor(kernel: SimKernel) {
    this.#kernel = kernel;
    this.#random = kernel.random('network');
  }

  /** How long a message takes that is sent now; while there is no way through it waits, as TCP sends it again. */
  transitMs(process: SimProcess): number {
    const { nowMs } = this.#kernel;
    const { role, factor, untilMs } = this.#spike;
    const spiking = nowMs < untilMs && (role === null || role === process.role);
    const usualMs = LATENCY_MS * (0.5 + this.#random());
    return this.#cutForMs(process) + (spiking ? usualMs * factor * this.#random() : usualMs);
  }

  reaches(process: SimProcess): boolean {
    return this.#cutForMs(process) === 0;
  }

  /** No way through for a role, or for all. */
  cut(role: string | null, forMs: number): void {
    this.#cuts.set(role, this.#kernel.nowMs + forMs);
  }

  spike(role: string | null, factor: number, forMs: number): void {
    this.#spike = { role, factor, untilMs: this.#kernel.nowMs + forMs };
  }

  /** Something happens to the next request of a role, or of anybody. */
  arm(role: string | null, fault: RequestFault): void {
    this.#faults.push({ role, fault });
  }

  takeFault(process: SimProcess): RequestFault | null {
    if (this.#faults.length === 0) return null;
    const index = this.#faults.findIndex(({ role }) => role === null || role === process.role);
    return index < 0 ? null : (this.#faults.splice(index, 1)[0]?.fault ?? null);
  }

  /** How much later a request arrives that the server's kernel holds. */
  lateMs(): number {
    return 1 + this.#random() ** 3 * LATE_MS_MAX;
  }

  #cutForMs(process: SimProcess): number {
    const untilMs = Math.max(this.#cuts.get(null) ?? 0, this.#cuts.get(process.role) ?? 0);
    return Math.max(0, untilMs - this.#kernel.nowMs);
  }
}

const LATENCY_MS = 0.3;
const LATE_MS_MAX = 2_000;
