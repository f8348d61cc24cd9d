import type { CheckpointEntry, JobStatus, RescaleEntry } from '../../engine/coordinator/job-status.ts';
import { FreshEntries } from './fresh-entries.ts';
import type { MetricDefinition, Sample } from './job-metrics.ts';

type HistoryMetric = Pick<MetricDefinition, 'name' | 'help' | 'labels'>;

const checkpoint = ['kind'] as const;

/** Counters of what the checkpoints and rescales of a job's history came to. */
export const HISTORY_METRICS = {
  written: {
    name: 'millrace_checkpoint_written_bytes_total',
    help: 'Bytes that completed checkpoints stored anew; the rest of the state is referred to',
    labels: checkpoint,
  },
  alignment: {
    name: 'millrace_checkpoint_alignment_seconds_total',
    help: 'Time from the first barrier to the last at the subtask that waited longest, over completed checkpoints',
    labels: checkpoint,
  },
  sync: {
    name: 'millrace_checkpoint_sync_seconds_total',
    help: 'Time that taking snapshots kept records waiting at the slowest host, over completed checkpoints',
    labels: checkpoint,
  },
  rescales: { name: 'millrace_job_rescales_total', help: 'Changes of parallelism', labels: ['outcome'] },
  downtime: {
    name: 'millrace_job_rescale_downtime_seconds_total',
    help: 'Time without processing because of changes of parallelism',
    labels: [],
  },
} as const satisfies Record<string, HistoryMetric>;

type Name = keyof typeof HISTORY_METRICS;

/** Adds up the entries of one job's history (FE1). Every series begins at 0, so that a first event is an increase. */
export class HistoryTotals {
  readonly #checkpoints = new FreshEntries<CheckpointEntry>(checkpointIdentity);
  readonly #rescales = new FreshEntries<RescaleEntry>(({ at, from, to }) => `${at} ${from} ${to}`);
  readonly #totals: Readonly<Record<Name, Map<string, number>>> = {
    written: zero('checkpoint', 'savepoint'),
    alignment: zero('checkpoint', 'savepoint'),
    sync: zero('checkpoint', 'savepoint'),
    rescales: zero('completed', 'rolled-back', 'failed'),
    downtime: zero(''),
  };

  observe({ checkpoints, rescales }: JobStatus): void {
    for (const entry of this.#checkpoints.of(checkpoints.history)) {
      if (entry.outcome !== 'completed') continue;
      this.#add('written', entry.kind, entry.writtenBytes);
      this.#add('alignment', entry.kind, entry.alignmentMs / 1000);
      this.#add('sync', entry.kind, entry.syncMs / 1000);
    }
    for (const { outcome, downtimeMs } of this.#rescales.of(rescales)) {
      this.#add('rescales', outcome, 1);
      this.#add('downtime', '', downtimeMs / 1000);
    }
  }

  read(name: Name): readonly Sample[] {
    const { labels } = HISTORY_METRICS[name];
    return Array.from(this.#totals[name], ([label, value]) => [labels.length === 0 ? [] : [label], value]);
  }

  #add(name: Name, label: string, value: number): void {
    const totals = this.#totals[name];
    totals.set(label, (totals.get(label) ?? 0) + value);
  }
}

export function checkpointIdentity({ id, triggeredAt, outcome }: CheckpointEntry): string {
  return `${id} ${triggeredAt} ${outcome}`;
}

function zero(...labels: readonly string[]): Map<string, number> {
  return new Map(labels.map((label) => [label, 0]));
}
