import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { RescaleEntry } from './job-status.ts';

/** One change of a job's parallelism under way: from the request to the first checkpoint at the new one, or back. */
export class Rescaling {
  readonly target: ExecutionGraph;
  readonly source: ExecutionGraph;
  readonly done: Promise<RescaleEntry>;
  readonly #clock: Clock;
  readonly #at: number;
  readonly #begunMs: number;
  readonly #ended = Promise.withResolvers<RescaleEntry>();
  #stoppedMs: number | null = null;
  #startedMs: number | null = null;
  #cancelHealth: () => void = () => {};

  constructor(target: ExecutionGraph, source: ExecutionGraph, clock: Clock) {
    this.target = target;
    this.source = source;
    this.done = this.#ended.promise;
    this.#clock = clock;
    this.#at = clock.now();
    this.#begunMs = clock.monotonic();
  }

  /** The old attempt ends now. */
  checkpointTaken(): void {
    this.#stoppedMs = this.#clock.monotonic();
  }

  /** True when the next attempt is to be at the new parallelism. */
  get isDue(): boolean {
    return this.#stoppedMs !== null && this.#startedMs === null;
  }

  /** An attempt begins to process. @param unhealthy called when it does not complete a checkpoint in time */
  started(graph: ExecutionGraph, unhealthy: (why: MillraceError) => void): void {
    if (graph !== this.target) return;
    this.#startedMs ??= this.#clock.monotonic();
    this.#cancelHealth = this.#clock.after(LIMITS.rescaleHealthMs, () => unhealthy(notHealthy()));
  }

  /** True when a checkpoint that was just completed is one at the new parallelism. */
  isHealthy(graph: ExecutionGraph): boolean {
    return graph === this.target && this.#startedMs !== null;
  }

  end(outcome: RescaleEntry['outcome'], failure: string | null): RescaleEntry {
    this.#cancelHealth();
    const now = this.#clock.monotonic();
    const stopped = this.#stoppedMs ?? now;
    const entry = {
      at: this.#at,
      from: this.source.job.options.parallelism,
      to: this.target.job.options.parallelism,
      outcome,
      checkpointMs: stopped - this.#begunMs,
      downtimeMs: this.#stoppedMs === null ? 0 : (this.#startedMs ?? now) - stopped,
      failure,
    };
    this.#ended.resolve(entry);
    return entry;
  }
}

function notHealthy(): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_TIMEOUT',
    `No checkpoint was completed within ${LIMITS.rescaleHealthMs} ms at the new parallelism.`,
  );
}
