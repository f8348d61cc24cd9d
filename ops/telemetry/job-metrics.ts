import type {
  JobState,
  JobStatus,
  OperatorStatus,
  SinkStatus,
  SubtaskStatus,
} from '../../engine/coordinator/job-status.ts';
import { isTime, watermarkLagMs } from './job-figures.ts';

/** One metric of the registry. Names carry their unit; counters end in `_total`. */
export interface MetricDefinition {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  /** Counters: the total in this status, which may begin anew with an attempt (see RunningTotals). */
  readonly read: (status: JobStatus, now: number) => Iterable<Sample>;
  /** Beside `job_name`, which every series has. Bounded by the job's graph: never a key, a device or an error text. */
  readonly labels: readonly string[];
}

/** Label values in the order of the definition's labels, then the value. */
export type Sample = readonly [labels: readonly string[], value: number];

const JOB_STATES: readonly JobState[] = [
  'created',
  'starting',
  'restoring',
  'running',
  'restarting',
  'stopping',
  'cancelling',
  'finished',
  'stopped',
  'cancelled',
  'failed',
];

const operatorMetrics: readonly MetricDefinition[] = [
  operator('counter', 'records_in_total', 'Records taken in', (o) => o.recordsIn),
  operator('counter', 'records_out_total', 'Records handed on', (o) => o.recordsOut),
  operator('counter', 'busy_seconds_total', 'Time tasks spent working', (o) => o.busyMs / 1000),
  operator('counter', 'idle_seconds_total', 'Time tasks spent without input', (o) => o.idleMs / 1000),
  operator(
    'counter',
    'backpressured_seconds_total',
    'Time tasks waited for room downstream',
    (o) => o.backpressuredMs / 1000,
  ),
  operator(
    'counter',
    'late_records_total',
    'Records behind the watermark by more than the allowed lateness',
    (o) => o.lateRecords,
  ),
  operator(
    'counter',
    'dead_letter_records_total',
    'Records set aside as not processable',
    (o) => o.deadLetters,
  ),
  operator('gauge', 'state_keys', 'Keys with live state', (o) => o.stateKeys),
  operator('gauge', 'timers_pending', 'Timers that have not fired', (o) => o.timers),
  operator('gauge', 'parallelism', 'Subtasks', (o) => o.parallelism),
  operator('gauge', 'watermark_timestamp_seconds', 'Lowest watermark of the subtasks', (o) =>
    isTime(o.watermark) ? o.watermark / 1000 : null,
  ),
  operator('gauge', 'watermark_lag_seconds', 'Time since the lowest watermark of the subtasks', (o, now) =>
    seconds(watermarkLagMs(o.watermark, now)),
  ),
];

/** The three add up to the time that passed; one line per subtask of each vertex. */
const taskMetrics: readonly MetricDefinition[] = [
  task('busy', 'Time with something to do, in turns of its own or waiting for one', (s) => s.busyMs),
  task('idle', 'Time with nothing to take', (s) => s.idleMs),
  task('backpressured', 'Time held up by what comes after it', (s) => s.backpressuredMs),
  task('running', 'Part of the busy time in turns of its own: its share of the thread', (s) => s.runningMs),
];

const sourceMetrics: readonly MetricDefinition[] = [
  source('counter', 'source_records_read_total', 'Records read from the partition', (s) => s.recordsRead),
  source('counter', 'source_bytes_read_total', 'Bytes read from the partition', (s) => s.bytesRead),
  source(
    'gauge',
    'source_backlog_entries',
    'Records in the partition that were not read yet',
    (s) => s.lagRecords,
  ),
  source('gauge', 'source_emit_lag_seconds', 'Time since the event time of the newest record read', (s) =>
    seconds(s.lagMs),
  ),
  source('gauge', 'source_idle', '1 while the partition is marked idle', (s) => (s.idle ? 1 : 0)),
];

const checkpointMetrics: readonly MetricDefinition[] = [
  {
    name: 'millrace_checkpoints_total',
    kind: 'counter',
    help: 'Checkpoints and savepoints by outcome',
    labels: ['outcome'],
    read: (status) => [
      [['completed'], status.checkpoints.completed],
      [['failed'], status.checkpoints.failed],
    ],
  },
  {
    name: 'millrace_checkpoint_size_bytes',
    kind: 'gauge',
    help: 'State written by the newest completed checkpoint',
    labels: ['kind'],
    read: (status) => newestCompleted(status).map((entry) => [[entry.kind], entry.stateBytes]),
  },
  job(
    'gauge',
    'checkpoint_last_completed_timestamp_seconds',
    'When the newest checkpoint completed',
    (status) => {
      const ended = status.checkpoints.history
        .filter((entry) => entry.outcome === 'completed')
        .map((entry) => entry.triggeredAt + entry.durationMs);
      return ended.length === 0 ? null : Math.max(...ended) / 1000;
    },
  ),
  job(
    'gauge',
    'checkpoint_interval_seconds',
    'Configured time between checkpoints',
    (s) => s.checkpointIntervalMs / 1000,
  ),
  job('gauge', 'checkpoint_in_progress', '1 while a checkpoint is being taken', (s) =>
    s.checkpoints.inProgress === null ? 0 : 1,
  ),
];

const jobMetrics: readonly MetricDefinition[] = [
  {
    name: 'millrace_job_state',
    kind: 'gauge',
    help: '1 for the state the job is in, 0 for the others',
    labels: ['state'],
    read: (status) => JOB_STATES.map((state): Sample => [[state], state === status.state ? 1 : 0]),
  },
  job('counter', 'job_restarts_total', 'Restarts after a failure', (status) => status.restarts),
  job('gauge', 'job_generation', 'Number of the running attempt', (status) => status.generation),
  job(
    'gauge',
    'job_start_timestamp_seconds',
    'When the job was started',
    (status) => status.startedAt / 1000,
  ),
];

/** Totals that sinks report under these names get metrics of their own; others appear in `millrace_sink_stat`. */
const SINK_TOTALS: Readonly<Record<string, readonly [name: string, help: string]>> = {
  rowsWritten: ['sink_rows_written_total', 'Rows handed to the target'],
  rowsCommitted: ['sink_rows_committed_total', 'Rows made visible by commits'],
  bytesWritten: ['sink_bytes_written_total', 'Bytes handed to the target'],
  filesWritten: ['sink_files_written_total', 'Files written'],
  commits: ['sink_commits_total', 'Commits that the target took'],
  retries: ['sink_retries_total', 'Attempts that were repeated'],
};
const OTHER_STATS_MAX = 32;

const sinkMetrics: readonly MetricDefinition[] = [
  ...Object.entries(SINK_TOTALS).map(([stat, [name, help]]) => sinkTotal(stat, name, help)),
  {
    name: 'millrace_sink_stat',
    kind: 'gauge',
    help: 'Other figures a sink reports about itself',
    labels: ['operator', 'sink', 'stat'],
    read: (status) =>
      status.sinks.flatMap((sink) =>
        Object.entries(sink.stats)
          .filter(([stat]) => !Object.hasOwn(SINK_TOTALS, stat))
          .slice(0, OTHER_STATS_MAX)
          .map(([stat, value]): Sample => [[sink.operator, sink.kind, snakeCase(stat)], value]),
      ),
  },
];

/** Everything a job's status says, as metrics. Dashboards and rules may name these and the histogram below only. */
export const JOB_METRICS: readonly MetricDefinition[] = [
  ...operatorMetrics,
  ...taskMetrics,
  ...sourceMetrics,
  ...checkpointMetrics,
  ...jobMetrics,
  ...sinkMetrics,
];

/** The one histogram: how long checkpoints took, by kind and outcome. */
export const CHECKPOINT_DURATION = {
  name: 'millrace_checkpoint_duration_seconds',
  help: 'Time from trigger to completion or failure of checkpoints',
  labels: ['kind', 'outcome'],
  bucketsSeconds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
} as const;

type Kind = MetricDefinition['kind'];

function job(
  kind: Kind,
  name: string,
  help: string,
  value: (status: JobStatus, now: number) => number | null,
): MetricDefinition {
  const read = (status: JobStatus, now: number): Sample[] => sample([], value(status, now));
  return { name: `millrace_${name}`, kind, help, labels: [], read };
}

function operator(
  kind: Kind,
  name: string,
  help: string,
  value: (o: OperatorStatus, now: number) => number | null,
): MetricDefinition {
  const read = (status: JobStatus, now: number) =>
    status.operators.flatMap((o) => sample([o.id], value(o, now)));
  return { name: `millrace_${name}`, kind, help, labels: ['operator'], read };
}

function task(share: string, help: string, ms: (s: SubtaskStatus) => number): MetricDefinition {
  const read = (status: JobStatus) =>
    status.subtasks.map((s): Sample => [[s.id, String(s.subtask), String(s.host)], ms(s) / 1000]);
  return {
    name: `millrace_task_${share}_seconds_total`,
    kind: 'counter',
    help,
    labels: ['vertex', 'subtask', 'host'],
    read,
  };
}

function source(
  kind: Kind,
  name: string,
  help: string,
  value: (s: JobStatus['sources'][number]) => number | null,
): MetricDefinition {
  const read = (status: JobStatus) =>
    status.sources.flatMap((s) => sample([s.operator, s.topic, String(s.partition)], value(s)));
  return { name: `millrace_${name}`, kind, help, labels: ['operator', 'topic', 'partition'], read };
}

function sinkTotal(stat: string, name: string, help: string): MetricDefinition {
  const value = (sink: SinkStatus) => sink.stats[stat] ?? null;
  const read = (status: JobStatus) =>
    status.sinks.flatMap((sink) => sample([sink.operator, sink.kind], value(sink)));
  return { name: `millrace_${name}`, kind: 'counter', help, labels: ['operator', 'sink'], read };
}

function sample(labels: readonly string[], value: number | null): Sample[] {
  return value === null ? [] : [[labels, value]];
}

function newestCompleted(status: JobStatus) {
  return status.checkpoints.history.filter((entry) => entry.outcome === 'completed').slice(0, 1);
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}
