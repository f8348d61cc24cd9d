import type { CheckpointEntry, JobStatus } from '../../engine/coordinator/job-status.ts';
import { FreshEntries } from './fresh-entries.ts';
import { checkpointIdentity } from './history-totals.ts';
import { CHECKPOINT_DURATION } from './job-metrics.ts';

/** Cumulative since the process started. `counts` has one place more than there are buckets. */
export interface DurationHistogram {
  readonly kind: CheckpointEntry['kind'];
  readonly outcome: CheckpointEntry['outcome'];
  readonly counts: number[];
  sumSeconds: number;
  count: number;
}

/** Turns the checkpoint history of one job, which is a sliding list, into histograms that only grow (FE1). */
export class CheckpointDurations {
  readonly #histograms = new Map<string, DurationHistogram>();
  readonly #fresh = new FreshEntries<CheckpointEntry>(checkpointIdentity);

  observe(status: JobStatus): void {
    for (const entry of this.#fresh.of(status.checkpoints.history)) this.#add(entry);
  }

  histograms(): Iterable<DurationHistogram> {
    return this.#histograms.values();
  }

  #add(entry: CheckpointEntry): void {
    const name = `${entry.kind} ${entry.outcome}`;
    const histogram = this.#histograms.get(name) ?? emptyHistogram(entry);
    this.#histograms.set(name, histogram);
    const seconds = entry.durationMs / 1000;
    const index = CHECKPOINT_DURATION.bucketsSeconds.findIndex((bound) => seconds <= bound);
    const place = index === -1 ? CHECKPOINT_DURATION.bucketsSeconds.length : index;
    histogram.counts[place] = (histogram.counts[place] ?? 0) + 1;
    histogram.sumSeconds += seconds;
    histogram.count += 1;
  }
}

function emptyHistogram({ kind, outcome }: CheckpointEntry): DurationHistogram {
  const counts = Array.from({ length: CHECKPOINT_DURATION.bucketsSeconds.length + 1 }, () => 0);
  return { kind, outcome, counts, sumSeconds: 0, count: 0 };
}
