import { errorCode, errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { CheckpointEntry, CheckpointsStatus, JobFailure, RescaleEntry } from './job-status.ts';

/** What has happened to a job since this process took it over, bounded. */
export class JobHistory {
  readonly failures: JobFailure[] = [];
  readonly rescales: RescaleEntry[] = [];
  readonly #checkpoints: CheckpointEntry[] = [];
  #completed = 0;
  #failed = 0;
  restarts = 0;
  inProgress: number | null = null;
  restoredFrom: number | null = null;

  failure(error: unknown, at: number, generation: number): void {
    const details = error instanceof MillraceError ? error.details : {};
    const text = (name: string) => (typeof details[name] === 'string' ? (details[name] as string) : null);
    const number = (name: string) => (typeof details[name] === 'number' ? (details[name] as number) : null);
    this.#add(this.failures, LIMITS.failuresKept, {
      at,
      code: errorCode(error) ?? 'UNKNOWN',
      message: errorText(error),
      operator: text('operator'),
      subtask: number('subtask'),
      topic: text('topic'),
      partition: number('partition'),
      offset: number('offset'),
      generation,
    });
  }

  checkpoint(entry: CheckpointEntry): void {
    if (entry.outcome === 'completed') this.#completed++;
    else this.#failed++;
    this.#add(this.#checkpoints, LIMITS.historyEntriesMax, entry);
  }

  rescale(entry: RescaleEntry): void {
    this.#add(this.rescales, LIMITS.historyEntriesMax, entry);
  }

  checkpoints(): CheckpointsStatus {
    return {
      completed: this.#completed,
      failed: this.#failed,
      inProgress: this.inProgress,
      restoredFrom: this.restoredFrom,
      history: [...this.#checkpoints],
    };
  }

  #add<Entry>(list: Entry[], max: number, entry: Entry): void {
    list.unshift(entry);
    list.length = Math.min(list.length, max);
  }
}
