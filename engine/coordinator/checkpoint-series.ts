import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import type { Attempt } from './attempt.ts';
import { type CheckpointPolicy, nextTriggerMs, toleratesFailure } from './checkpoint-policy.ts';
import type { JobHistory } from './job-history.ts';
import type { CheckpointEntry } from './job-status.ts';

export interface CheckpointSeriesOptions {
  readonly attempt: Attempt;
  readonly clock: Clock;
  readonly policy: CheckpointPolicy;
  /** The first periodic one is due now, instead of after an interval. */
  readonly atOnce: boolean;
  /** Told of every one. */
  readonly history: JobHistory;
  /** Called after every one, when the history has it. */
  readonly ended: (outcome: CheckpointEntry['outcome']) => void;
}

/**
 * The checkpoints of one attempt: periodic ones, and those that are asked for. Suspends until one is due, and while one is taken.
 *
 * CQ1 a change of the policy counts from the last trigger on, also for a wait under way.
 * CQ2 they are taken one after another, in the order in which they were asked for.
 * CQ3 one that fails when it may have been published ends the attempt: only a restore makes sure that its output is committed.
 */
export class CheckpointSeries {
  readonly #options: CheckpointSeriesOptions;
  #policy: CheckpointPolicy;
  #last: Promise<unknown> = Promise.resolve();
  #triggeredMs: number;
  #endedMs: number | null = null;
  #failuresInRow = 0;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(options: CheckpointSeriesOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#triggeredMs = options.atOnce ? Number.NEGATIVE_INFINITY : options.clock.monotonic();
  }

  /** Takes periodic ones until {@link end}, and does not resolve then; rejects when one fails and the job does not tolerate it. */
  async run(): Promise<never> {
    for (;;) {
      await this.#due();
      if (this.#isOver) return new Promise<never>(() => {});
      await this.take('checkpoint').catch((error: unknown) => {
        if (!toleratesFailure({ error, failuresInRow: this.#failuresInRow }, this.#policy)) throw error;
      });
    }
  }

  /** Takes one, after those that were asked for before; rejects when it fails. */
  take(kind: Manifest['kind']): Promise<CheckpointId> {
    const next = this.#last.then(() => this.#take(kind));
    this.#last = next.catch(() => {});
    return next;
  }

  changePolicy(policy: CheckpointPolicy): void {
    this.#policy = policy;
    this.#wake();
  }

  /** No more periodic ones: from now on those only that are asked for. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Resolves when the next periodic one is due, which begins then, or none is any more. */
  async #due(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#isOver) {
      const facts = { triggeredMs: this.#triggeredMs, endedMs: this.#endedMs };
      const leftMs = nextTriggerMs(facts, this.#policy) - clock.monotonic();
      if (leftMs <= 0) break;
      const changed = new AbortController();
      this.#wake = () => changed.abort();
      await clock.sleep(leftMs, changed.signal);
    }
    this.#triggeredMs = clock.monotonic();
  }

  async #take(kind: Manifest['kind']): Promise<CheckpointId> {
    const { attempt, clock, history, ended } = this.#options;
    const begun = { kind, triggeredAt: clock.now(), startedMs: clock.monotonic() };
    let outcome: CheckpointEntry['outcome'] = 'failed';
    history.inProgress = begun.triggeredAt;
    try {
      const { manifest, ...figures } = await attempt.checkpoint(kind);
      outcome = 'completed';
      this.#note({ ...begun, ...figures, id: manifest.id, outcome, failure: null });
      return manifest.id;
    } catch (error) {
      this.#note({ ...begun, ...NO_FIGURES, outcome, failure: errorText(error) });
      if (attempt.publishing) attempt.fail(error);
      throw error;
    } finally {
      history.inProgress = null;
      ended(outcome);
    }
  }

  #note({ startedMs, ...entry }: Omit<CheckpointEntry, 'durationMs'> & { readonly startedMs: number }): void {
    this.#endedMs = this.#options.clock.monotonic();
    this.#failuresInRow = entry.outcome === 'completed' ? 0 : this.#failuresInRow + 1;
    this.#options.history.checkpoint({ ...entry, durationMs: this.#endedMs - startedMs });
  }
}

const NO_FIGURES = { id: 0, stateBytes: 0, writtenBytes: 0, alignmentMs: 0, syncMs: 0 };
