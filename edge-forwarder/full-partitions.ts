import type { Clock } from '#wire';

/** A time during which some partition had no room for our frames. */
export interface Backpressure {
  /** Epoch ms; since then there has always been one. */
  readonly since: number;
  /** Those that have none now, ascending. */
  readonly partitions: readonly number[];
}

/**
 * Knows which partitions have answered that they are full.
 * FP1 a partition counts as full from its first refusal until it takes all that one round offers: one that takes a frame now and
 *     then, as room is made, has not recovered.
 */
export class FullPartitions {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #partitions = new Set<number>();
  #since = 0;
  #sinceMs = 0;
  #endedMs = 0;

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
  }

  get current(): Backpressure | null {
    if (this.#partitions.size === 0) return null;
    return { since: this.#since, partitions: [...this.#partitions].toSorted((a, b) => a - b) };
  }

  /** For how long any partition was full, of this run, ms. */
  get totalMs(): number {
    return this.#endedMs + (this.#partitions.size === 0 ? 0 : this.#clock.monotonic() - this.#sinceMs);
  }

  refused(partition: number): void {
    if (this.#partitions.size === 0) {
      this.#since = this.#clock.now();
      this.#sinceMs = this.#clock.monotonic();
    }
    this.#partitions.add(partition);
  }

  /** It took everything that was offered. */
  recovered(partition: number): void {
    const { totalMs } = this;
    if (this.#partitions.delete(partition) && this.#partitions.size === 0) this.#endedMs = totalMs;
  }

  /** What the partitions have room for is not known any more. */
  clear(): void {
    for (const partition of this.#partitions) this.recovered(partition);
  }
}
