import { LIMITS } from '../base/limits.ts';
import { MIN_WATERMARK, minusSaturating } from './watermark.ts';

/** What a snapshot keeps of one partition's event time: `[producer, watermark, idle, aligned]` per producer. */
export interface PartitionClockState {
  readonly watermark: number;
  readonly idle: boolean;
  readonly producers: readonly (readonly [id: string, watermark: number, idle: boolean, aligned: boolean])[];
}

interface Producer {
  readonly id: string;
  watermark: number;
  idle: boolean;
  /** Its watermark has caught up with the partition's; until then it is not waited for. */
  aligned: boolean;
  /** Quiet time starts here, see {@link PartitionClock.excuse}. */
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
 * PC4 time in which the partition was not read on purpose is no quiet time (FLINK-35886).
 *
 * Records cost no allocation. The lowest producer is remembered, so that a look at all of them is due only when that one moves:
 * with producers that move at about one pace, once per round of all of them.
 */
export class PartitionClock {
  readonly #outOfOrdernessMs: number;
  readonly #idleAfterMs: number;
  readonly #known = new Map<string, Producer>();
  /** The same, in the order of their first record. */
  readonly #producers: Producer[] = [];
  /** The lowest of those that are waited for; null when nobody is. */
  #lowest: Producer | null = null;
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
    const known = this.#known.get(producer) ?? this.#add(producer, nowMs);
    const bounded = minusSaturating(newestMs, this.#outOfOrdernessMs + 1);
    const time = Number.isNaN(declared) ? bounded : Math.min(bounded, declared);
    if (time > known.watermark) known.watermark = time;
    if (known.idle) known.aligned = false;
    known.idle = false;
    known.seenAtMs = nowMs;
    if (known.watermark >= this.#watermark) known.aligned = true;
    if (known === this.#lowest || this.#lowest === null) this.#findLowest();
    else if (known.aligned && known.watermark < this.#lowest.watermark) this.#lowest = known;
    this.#advance();
  }

  /** Looks for idleness; call when the reader stands at the head of the partition and is not held up by its consumers. */
  atHead(nowMs: number): void {
    if (nowMs - this.#seenAtMs >= this.#idleAfterMs) this.#idle = true;
    for (const producer of this.#producers) {
      if (nowMs - producer.seenAtMs >= this.#idleAfterMs) producer.idle = true;
    }
    if (this.#lowest === null || this.#lowest.idle) this.#findLowest();
    this.#advance();
  }

  /** The partition was held back for `ms` until now: what could not be read does not count as quiet (PC4). */
  excuse(ms: number): void {
    this.#seenAtMs += ms;
    for (const producer of this.#producers) producer.seenAtMs += ms;
  }

  snapshot(): PartitionClockState {
    return {
      watermark: this.#watermark,
      idle: this.#idle,
      producers: this.#producers.map((p) => [p.id, p.watermark, p.idle, p.aligned] as const),
    };
  }

  restore(state: PartitionClockState, nowMs: number): void {
    this.#watermark = state.watermark;
    this.#idle = state.idle;
    for (const [id, watermark, idle, aligned] of state.producers)
      Object.assign(this.#add(id, nowMs), { watermark, idle, aligned });
    this.#findLowest();
  }

  #add(id: string, nowMs: number): Producer {
    if (this.#producers.length >= LIMITS.producersPerPartitionMax) this.#forgetOldest();
    const producer = { id, watermark: MIN_WATERMARK, idle: false, aligned: true, seenAtMs: nowMs };
    this.#known.set(id, producer);
    this.#producers.push(producer);
    if (this.#lowest !== null) this.#lowest = producer;
    return producer;
  }

  #findLowest(): void {
    let lowest: Producer | null = null;
    for (const producer of this.#producers) {
      if (producer.idle || !producer.aligned) continue;
      if (lowest === null || producer.watermark < lowest.watermark) lowest = producer;
    }
    this.#lowest = lowest;
  }

  /** Minimum over those that are waited for; when nobody is because all are idle, the maximum over all (PC3). */
  #advance(): void {
    const reached = this.#lowest === null ? this.#highestOfIdle() : this.#lowest.watermark;
    if (reached > this.#watermark) this.#watermark = reached;
  }

  #highestOfIdle(): number {
    let highest = MIN_WATERMARK;
    for (const producer of this.#producers) {
      if (!producer.idle) return MIN_WATERMARK;
      if (producer.watermark > highest) highest = producer.watermark;
    }
    return highest;
  }

  #forgetOldest(): void {
    let oldest = 0;
    for (let i = 1; i < this.#producers.length; i++) {
      if ((this.#producers[i] as Producer).seenAtMs < (this.#producers[oldest] as Producer).seenAtMs)
        oldest = i;
    }
    const [forgotten] = this.#producers.splice(oldest, 1) as [Producer];
    this.#known.delete(forgotten.id);
    if (forgotten === this.#lowest) this.#findLowest();
  }
}
