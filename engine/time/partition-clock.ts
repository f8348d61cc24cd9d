import { LIMITS } from '../base/limits.ts';
import { MIN_WATERMARK, minusSaturating } from './watermark.ts';

/** What a snapshot keeps of one partition's event time: `[producer, watermark, idle, aligned]` per producer. */
export interface PartitionClockState {
  readonly watermark: number;
  readonly idle: boolean;
  readonly producers: readonly (readonly [id: string, watermark: number, idle: boolean, aligned: boolean])[];
}

interface Producer {
  watermark: number;
  idle: boolean;
  /** Its watermark has caught up with the partition's; until then it is not waited for. */
  aligned: boolean;
  seenAtMs: number;
}

/**
 * Event time of one partition from the producers that write to it: the minimum over active producers of
 * `min(newest time − out-of-orderness − 1, the producer's own watermark)`.
 *
 * PC1 the watermark only rises.
 * PC2 a producer is idle when the reader stands at the head of the partition and nothing of it has come for `idleAfterMs`; an
 *     empty read alone proves nothing. Back again, it is waited for once it has caught up.
 * PC3 the partition is idle when nothing has come for `idleAfterMs` at the head; its watermark is then the highest of its producers,
 *     so that what they sent last is not held back by one that stopped earlier.
 */
export class PartitionClock {
  readonly #outOfOrdernessMs: number;
  readonly #idleAfterMs: number;
  readonly #producers = new Map<string, Producer>();
  #watermark = MIN_WATERMARK;
  #idle = false;
  #seenAtMs: number;

  constructor(options: {
    readonly outOfOrdernessMs: number;
    readonly idleAfterMs: number;
    readonly nowMs: number;
  }) {
    this.#outOfOrdernessMs = options.outOfOrdernessMs;
    this.#idleAfterMs = options.idleAfterMs;
    this.#seenAtMs = options.nowMs;
  }

  get watermark(): number {
    return this.#watermark;
  }

  get idle(): boolean {
    return this.#idle;
  }

  /**
   * Records of `producer` have been read.
   * @param newestMs newest of their times that counts; @param declared the producer's own watermark, NaN for none
   * @param nowMs monotonic
   */
  observe(producer: string, newestMs: number, declared: number, nowMs: number): void {
    this.#seenAtMs = nowMs;
    this.#idle = false;
    let known = this.#producers.get(producer);
    if (known === undefined) {
      known = { watermark: MIN_WATERMARK, idle: false, aligned: true, seenAtMs: nowMs };
      this.#producers.set(producer, known);
      this.#forgetOldest();
    }
    const bounded = minusSaturating(newestMs, this.#outOfOrdernessMs + 1);
    known.watermark = Math.max(
      known.watermark,
      Number.isNaN(declared) ? bounded : Math.min(bounded, declared),
    );
    if (known.idle) known.aligned = false;
    known.idle = false;
    known.seenAtMs = nowMs;
    if (known.watermark >= this.#watermark) known.aligned = true;
    this.#advance();
  }

  /** Looks for idleness; call when the reader stands at the head of the partition and is not held up by its consumers. */
  atHead(nowMs: number): void {
    if (nowMs - this.#seenAtMs >= this.#idleAfterMs) this.#idle = true;
    for (const producer of this.#producers.values()) {
      if (nowMs - producer.seenAtMs >= this.#idleAfterMs) producer.idle = true;
    }
    this.#advance();
  }

  snapshot(): PartitionClockState {
    return {
      watermark: this.#watermark,
      idle: this.#idle,
      producers: [...this.#producers].map(([id, p]) => [id, p.watermark, p.idle, p.aligned] as const),
    };
  }

  restore(state: PartitionClockState, nowMs: number): void {
    this.#watermark = state.watermark;
    this.#idle = state.idle;
    for (const [id, watermark, idle, aligned] of state.producers)
      this.#producers.set(id, { watermark, idle, aligned, seenAtMs: nowMs });
  }

  /** Minimum over those that are waited for; when nobody is, the maximum over all (PC3). */
  #advance(): void {
    const producers = [...this.#producers.values()];
    const waited = producers.filter((producer) => !producer.idle && producer.aligned);
    const times = (waited.length > 0 ? waited : producers).map((producer) => producer.watermark);
    if (waited.length === 0 && producers.some((producer) => !producer.idle)) return;
    const reached = waited.length > 0 ? Math.min(...times) : Math.max(MIN_WATERMARK, ...times);
    this.#watermark = Math.max(this.#watermark, reached);
  }

  #forgetOldest(): void {
    if (this.#producers.size <= LIMITS.producersPerPartitionMax) return;
    const [oldest] = [...this.#producers].sort((a, b) => a[1].seenAtMs - b[1].seenAtMs);
    if (oldest !== undefined) this.#producers.delete(oldest[0]);
  }
}
