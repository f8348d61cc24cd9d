import type { Panel } from './panel.ts';

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const JOB = 'job_name=~"$job_name"';
const OPERATOR = `${JOB},operator=~"$operator"`;

/** The one board: how fast, how far behind, who is slow, are checkpoints well, what was lost on the way, what came out. */
export const BOARD: readonly Row[] = [
  {
    title: 'At a glance',
    panels: [
      stat(
        'State',
        'short',
        'The state each job is in.',
        `millrace_job_state{${JOB}} == 1`,
        '{{job_name}} {{state}}',
      ),
      stat(
        'Records in',
        'cps',
        'Read from the sources per second.',
        `sum(millrace:job_records_in:rate1m{${JOB}})`,
        'in',
      ),
      stat(
        'Watermark lag',
        's',
        'How far event time is behind the clock.',
        `max(millrace:job_watermark_lag_seconds:max{${JOB}})`,
        'lag',
        30,
      ),
      stat(
        'Checkpoint age',
        's',
        'Since the newest completed checkpoint.',
        `max(millrace:job_checkpoint_age_seconds:max{${JOB}})`,
        'age',
        600,
      ),
      stat(
        'Backlog',
        'short',
        'Records that wait in the sources.',
        `sum(millrace:job_backlog_entries:sum{${JOB}})`,
        'records',
      ),
      stat(
        'Restarts',
        'short',
        'Within the range shown.',
        `sum(increase(millrace_job_restarts_total{${JOB}}[$__range]))`,
        'restarts',
        1,
      ),
    ],
  },
  {
    title: 'Throughput and lag',
    panels: [
      series(
        'Records through operators',
        'cps',
        'Taken in per second, by operator.',
        rate('millrace_records_in_total', OPERATOR, 'operator'),
        '{{operator}}',
      ),
      series(
        'Watermark lag by operator',
        's',
        'The operator with the highest line holds back the windows after it.',
        `max by (operator) (millrace_watermark_lag_seconds{${OPERATOR}})`,
        '{{operator}}',
      ),
      series(
        'Backlog by partition',
        'short',
        'Records not read yet. One line that grows alone is a skewed key.',
        `sum by (topic, partition) (millrace_source_backlog_entries{${JOB}})`,
        '{{topic}} {{partition}}',
      ),
      series(
        'Source lag by partition',
        's',
        'Age of the newest record read.',
        `max by (topic, partition) (millrace_source_emit_lag_seconds{${JOB}})`,
        '{{topic}} {{partition}}',
      ),
      series(
        'Bytes read',
        'Bps',
        'From the log, as stored.',
        rate('millrace_source_bytes_read_total', JOB, 'topic'),
        '{{topic}}',
      ),
      series(
        'Idle partitions',
        'short',
        'Partitions that do not hold back event time, because nothing comes.',
        `sum by (topic) (millrace_source_idle{${JOB}})`,
        '{{topic}}',
      ),
    ],
  },
  {
    title: 'Where the time goes',
    panels: [
      series(
        'Busy',
        'percentunit',
        'Of the subtask that is worst, by vertex: the first one near 100 % from the sources on is the bottleneck.',
        `millrace:vertex_busy:max1m{${JOB}}`,
        '{{vertex}}',
        0.9,
      ),
      series(
        'Backpressured',
        'percentunit',
        'Of the subtask that is worst, by vertex: what comes after the last one that is held up is too slow.',
        `millrace:vertex_backpressured:max1m{${JOB}}`,
        '{{vertex}}',
        0.5,
      ),
      series(
        'Idle',
        'percentunit',
        'Mean of the subtasks, by vertex: nothing to take.',
        `avg by (vertex) (rate(millrace_task_idle_seconds_total{${JOB}}[$__rate_interval]))`,
        '{{vertex}}',
      ),
      series(
        'Who has the thread',
        'percentunit',
        'Share of the thread in turns of its own, by vertex and host; the sum of a host reaches 100 % when its thread is saturated.',
        `sum by (vertex, host) (rate(millrace_task_running_seconds_total{${JOB}}[$__rate_interval]))`,
        '{{vertex}} @{{host}}',
      ),
    ],
  },
  {
    title: 'State and process',
    panels: [
      series(
        'State keys',
        'short',
        'Keys with live state.',
        `sum by (operator) (millrace_state_keys{${OPERATOR}})`,
        '{{operator}}',
      ),
      series(
        'Timers',
        'short',
        'Timers that have not fired.',
        `sum by (operator) (millrace_timers_pending{${OPERATOR}})`,
        '{{operator}}',
      ),
      series(
        'Event loop',
        'percentunit',
        'Share of time the process was busy.',
        'max by (instance) (millrace_process_event_loop_utilization)',
        '{{instance}}',
        0.9,
      ),
      series(
        'Event loop delay',
        's',
        'Longest stall between two scrapes.',
        'max by (instance) (millrace_process_event_loop_delay_seconds)',
        '{{instance}}',
        0.2,
      ),
      series(
        'Memory',
        'bytes',
        'Resident memory of the engine.',
        'max by (instance) (millrace_process_resident_memory_bytes)',
        'resident {{instance}}',
      ),
      series(
        'Heap',
        'bytes',
        'JavaScript heap in use.',
        'max by (instance) (millrace_process_heap_used_bytes)',
        '{{instance}}',
      ),
    ],
  },
  {
    title: 'Checkpoints',
    panels: [
      {
        ...series(
          'Duration',
          's',
          'From trigger to completion.',
          `sum by (le) (increase(millrace_checkpoint_duration_seconds_bucket{${JOB},outcome="completed"}[$__rate_interval]))`,
          '{{le}}',
        ),
        kind: 'heatmap',
      },
      series(
        'p99 duration',
        's',
        'Over five minutes.',
        `histogram_quantile(0.99, sum by (job_name, le) (rate(millrace_checkpoint_duration_seconds_bucket{${JOB}}[5m])))`,
        '{{job_name}}',
      ),
      series(
        'Outcomes',
        'short',
        'Completed and failed, per minute.',
        `sum by (outcome) (rate(millrace_checkpoints_total{${JOB}}[5m])) * 60`,
        '{{outcome}}',
      ),
      series(
        'Size',
        'bytes',
        'State written by the newest one.',
        `max by (job_name, kind) (millrace_checkpoint_size_bytes{${JOB}})`,
        '{{job_name}} {{kind}}',
      ),
      series(
        'Stored anew',
        'Bps',
        'What checkpoints write; the rest of the state they refer to.',
        rate('millrace_checkpoint_written_bytes_total', JOB, 'job_name'),
        '{{job_name}}',
      ),
      series(
        'Alignment',
        's',
        'Per checkpoint, from the first barrier to the last at the subtask that waited longest.',
        perCheckpoint('alignment'),
        '{{job_name}}',
      ),
      series(
        'Records kept waiting',
        's',
        'Per checkpoint, while snapshots are taken.',
        perCheckpoint('sync'),
        '{{job_name}}',
      ),
      series(
        'Rescales',
        'short',
        'Changes of parallelism, by outcome.',
        `sum by (job_name, outcome) (increase(millrace_job_rescales_total{${JOB}}[$__rate_interval]))`,
        '{{job_name}} {{outcome}}',
      ),
      series(
        'Downtime of rescales',
        's',
        'Without processing because of them.',
        `sum by (job_name) (increase(millrace_job_rescale_downtime_seconds_total{${JOB}}[$__rate_interval]))`,
        '{{job_name}}',
      ),
    ],
  },
  {
    title: 'Late records and dead letters',
    panels: [
      series(
        'Late records',
        'cps',
        'Behind the watermark by more than the allowed lateness; they go to the late stream.',
        rate('millrace_late_records_total', OPERATOR, 'operator'),
        '{{operator}}',
      ),
      series(
        'Dead letters',
        'cps',
        'Set aside as not processable.',
        rate('millrace_dead_letter_records_total', OPERATOR, 'operator'),
        '{{operator}}',
      ),
    ],
  },
  {
    title: 'Sinks',
    panels: [
      series(
        'Rows written',
        'cps',
        'Handed to the target.',
        rate('millrace_sink_rows_written_total', JOB, 'operator, sink'),
        '{{operator}} ({{sink}})',
      ),
      series(
        'Rows committed',
        'cps',
        'Made visible with checkpoints.',
        rate('millrace_sink_rows_committed_total', JOB, 'operator, sink'),
        '{{operator}} ({{sink}})',
      ),
      series(
        'Retries',
        'cps',
        'Attempts that were repeated.',
        rate('millrace_sink_retries_total', JOB, 'operator, sink'),
        '{{operator}} ({{sink}})',
      ),
      series(
        'Other figures',
        'short',
        'What sinks report about themselves.',
        `sum by (operator, stat) (millrace_sink_stat{${JOB}})`,
        '{{operator}} {{stat}}',
      ),
    ],
  },
];

function rate(metric: string, selector: string, by: string): string {
  return `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
}

/** Mean of a part of completed checkpoints. */
function perCheckpoint(part: 'alignment' | 'sync'): string {
  const taken = `rate(millrace_checkpoints_total{${JOB},outcome="completed"}[5m])`;
  const spent = `rate(millrace_checkpoint_${part}_seconds_total{${JOB}}[5m])`;
  return `sum by (job_name) (${spent}) / sum by (job_name) (${taken})`;
}

function series(
  title: string,
  unit: string,
  description: string,
  expression: string,
  legend: string,
  warnAbove?: number,
): Panel {
  const panel = {
    title,
    unit,
    description,
    kind: 'timeseries',
    width: 12,
    queries: [{ expression, legend }],
  } as const;
  return warnAbove === undefined ? panel : { ...panel, warnAbove };
}

function stat(
  title: string,
  unit: string,
  description: string,
  expression: string,
  legend: string,
  warnAbove?: number,
): Panel {
  return { ...series(title, unit, description, expression, legend, warnAbove), kind: 'stat', width: 4 };
}
