import type { Clock } from '../base/clock.ts';
import { type CheckpointPolicy, nextTriggerMs, toleratesFailure } from './checkpoint-policy.ts';

/**
 * When one attempt's periodic checkpoints are due, and how many of its checkpoints have failed in a row. Suspends in {@link due}.
 *
 * CQ1 a change of the policy counts from the last trigger on, also for a wait under way.
 */
export class CheckpointPace {
  readonly #clock: Clock;
  readonly #policy: () => CheckpointPolicy;
  #triggeredMs: number;
  #endedMs: number | null = null;
  #failuresInRow = 0;
  #wake: () => void = () => {};

  /** @param atOnce the first is due now, instead of after an interval */
  constructor(clock: Clock, policy: () => CheckpointPolicy, atOnce: boolean) {
    this.#clock = clock;
    this.#policy = policy;
    this.#triggeredMs = atOnce ? Number.NEGATIVE_INFINITY : clock.monotonic();
  }

  /** Resolves when the next one is due, which begins then, or `signal` aborts. */
  async due(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const facts = { triggeredMs: this.#triggeredMs, endedMs: this.#endedMs };
      const leftMs = nextTriggerMs(facts, this.#policy()) - this.#clock.monotonic();
      if (leftMs <= 0) break;
      const changed = new AbortController();
      this.#wake = () => changed.abort();
      await this.#clock.sleep(leftMs, AbortSignal.any([signal, changed.signal]));
    }
    this.#triggeredMs = this.#clock.monotonic();
  }

  /** The policy has changed. */
  changed(): void {
    this.#wake();
  }

  /** A checkpoint or savepoint has ended. */
  ended(outcome: 'completed' | 'failed'): void {
    this.#endedMs = this.#clock.monotonic();
    this.#failuresInRow = outcome === 'completed' ? 0 : this.#failuresInRow + 1;
  }

  /** Does the attempt go on after a checkpoint has ended with this error? */
  tolerates(error: unknown): boolean {
    return toleratesFailure({ error, failuresInRow: this.#failuresInRow }, this.#policy());
  }
}
