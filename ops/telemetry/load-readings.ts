import type { Clock } from '../../engine/base/clock.ts';
import type { JobHandle, JobStatus, SubtaskStatus } from '../../engine/coordinator/job-status.ts';

/** What a job's subtasks had added up at one moment. */
interface LoadReading {
  /** Monotonic ms. */
  readonly atMs: number;
  readonly subtasks: readonly SubtaskStatus[];
}

export const LOAD = {
  readEveryMs: 1_000,
  /** The interval that shares are of, once so much has been seen. */
  overMs: 5_000,
} as const;

const READINGS_MAX = LOAD.overMs / LOAD.readEveryMs + 1;

/**
 * Remembers, for each job, what its subtasks had added up over the last seconds, so that shares can be told of an interval and not
 * of a whole run. Bounded by the number of jobs; a job that is gone leaves nothing behind.
 */
export class LoadReadings {
  readonly #jobs: () => readonly JobHandle[];
  readonly #clock: Clock;
  readonly #readings = new Map<string, readonly LoadReading[]>();
  #cancel: () => void = () => {};

  constructor(jobs: () => readonly JobHandle[], clock: Clock) {
    this.#jobs = jobs;
    this.#clock = clock;
  }

  start(): void {
    this.#take();
    this.#cancel = this.#clock.after(LOAD.readEveryMs, () => this.start());
  }

  stop(): void {
    this.#cancel();
  }

  /** The reading that an interval up to now begins with; null when there is none yet. */
  earlier(job: string): LoadReading | null {
    const now = this.#clock.monotonic();
    const before = (this.#readings.get(job) ?? []).filter(({ atMs }) => atMs < now);
    return before.find(({ atMs }) => atMs >= now - LOAD.overMs) ?? before.at(-1) ?? null;
  }

  #take(): void {
    const atMs = this.#clock.monotonic();
    const statuses: readonly JobStatus[] = this.#jobs().map((job) => job.status());
    const names = new Set(statuses.map(({ name }) => name));
    for (const name of this.#readings.keys()) if (!names.has(name)) this.#readings.delete(name);
    for (const { name, subtasks } of statuses) {
      const before = this.#readings.get(name) ?? [];
      this.#readings.set(name, [...before, { atMs, subtasks }].slice(-READINGS_MAX));
    }
  }
}
