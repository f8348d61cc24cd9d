import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Clock } from '../../engine/base/clock.ts';
import type { JobHandle, JobStatus } from '../../engine/coordinator/job-status.ts';
import { CheckpointDurations } from './checkpoint-durations.ts';
import { CHECKPOINT_DURATION, JOB_METRICS, type MetricDefinition } from './job-metrics.ts';
import { PROCESS_METRICS, ProcessReadings } from './process-metrics.ts';

/** Series of one process at most; what is beyond is left out and counted in `millrace_metrics_series_dropped`. */
const SERIES_MAX = 20_000;

/**
 * Hands the status of all jobs to OpenTelemetry once per collection. Tasks count in plain slots and know nothing of
 * metrics; no instrument is called per record.
 * Owns the growing checkpoint histograms and a listener on each job; `close` gives both back.
 */
export class JobMetricProducer implements MetricProducer {
  readonly #jobs: () => readonly JobHandle[];
  readonly #clock: Clock;
  readonly #resource: Resource;
  readonly #startTime: HrTime;
  readonly #process = new ProcessReadings();
  readonly #durations = new Map<
    JobHandle,
    { readonly durations: CheckpointDurations; readonly stop: () => void }
  >();

  constructor(jobs: () => readonly JobHandle[], clock: Clock, resource: Resource) {
    this.#jobs = jobs;
    this.#clock = clock;
    this.#resource = resource;
    this.#startTime = hrTime(clock.now());
    this.#follow();
  }

  collect(): Promise<CollectionResult> {
    const now = this.#clock.now();
    const statuses = this.#follow().map((job) => job.status());
    const budget = new SeriesBudget(SERIES_MAX);
    const metrics = JOB_METRICS.map((definition) => this.#metric(definition, statuses, now, budget));
    metrics.push(this.#histogram(now), ...this.#processMetrics(now, budget));
    const scopeMetrics = [
      { scope: { name: 'millrace' }, metrics: metrics.filter((metric) => metric.dataPoints.length > 0) },
    ];
    return Promise.resolve({ resourceMetrics: { resource: this.#resource, scopeMetrics }, errors: [] });
  }

  close(): void {
    for (const { stop } of this.#durations.values()) stop();
    this.#durations.clear();
    this.#process.stop();
  }

  /** Listens to jobs that are new and forgets those that are gone. */
  #follow(): readonly JobHandle[] {
    const jobs = this.#jobs();
    for (const [job, { stop }] of this.#durations) {
      if (jobs.includes(job)) continue;
      stop();
      this.#durations.delete(job);
    }
    for (const job of jobs) {
      if (this.#durations.has(job)) continue;
      const durations = new CheckpointDurations();
      this.#durations.set(job, { durations, stop: job.onChange(() => durations.observe(job.status())) });
    }
    return jobs;
  }

  #metric(
    definition: MetricDefinition,
    statuses: readonly JobStatus[],
    now: number,
    budget: SeriesBudget,
  ): MetricData {
    const dataPoints = statuses.flatMap((status) =>
      Array.from(definition.read(status, now), ([labels, value]) =>
        this.#point(attributes(status.name, definition.labels, labels), value, now),
      ),
    );
    return numberMetric(definition, budget.take(dataPoints));
  }

  #histogram(now: number): MetricData {
    const boundaries = [...CHECKPOINT_DURATION.bucketsSeconds];
    const dataPoints = [...this.#durations].flatMap(([job, { durations }]) => {
      durations.observe(job.status());
      return Array.from(durations.histograms(), ({ kind, outcome, counts, sumSeconds, count }) => {
        const value = { buckets: { boundaries, counts: [...counts] }, sum: sumSeconds, count };
        return this.#point(attributes(job.name, CHECKPOINT_DURATION.labels, [kind, outcome]), value, now);
      });
    });
    return {
      descriptor: descriptor(CHECKPOINT_DURATION.name, CHECKPOINT_DURATION.help),
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    };
  }

  #processMetrics(now: number, budget: SeriesBudget): MetricData[] {
    const values = [...this.#process.read(), budget.dropped];
    return PROCESS_METRICS.map((definition, index) =>
      numberMetric({ ...definition, kind: 'gauge' }, [this.#point({}, values[index] ?? 0, now)]),
    );
  }

  #point<T>(labels: Attributes, value: T, now: number) {
    return { startTime: this.#startTime, endTime: hrTime(now), attributes: labels, value };
  }
}

class SeriesBudget {
  #left: number;
  dropped = 0;

  constructor(seriesMax: number) {
    this.#left = seriesMax;
  }

  take<T>(points: T[]): T[] {
    const taken = points.slice(0, this.#left);
    this.#left -= taken.length;
    this.dropped += points.length - taken.length;
    return taken;
  }
}

type NumberPoint = { startTime: HrTime; endTime: HrTime; attributes: Attributes; value: number };

function numberMetric(
  { name, help, kind }: Pick<MetricDefinition, 'name' | 'help' | 'kind'>,
  dataPoints: NumberPoint[],
): MetricData {
  const base = {
    descriptor: descriptor(name, help),
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints,
  };
  return kind === 'gauge'
    ? { ...base, dataPointType: DataPointType.GAUGE }
    : { ...base, dataPointType: DataPointType.SUM, isMonotonic: true };
}

/** The unit is part of the name; the exporter would print another one beside it. */
function descriptor(name: string, help: string) {
  return { name, description: help, unit: '', valueType: ValueType.DOUBLE };
}

function attributes(job: string, names: readonly string[], values: readonly string[]): Attributes {
  return Object.fromEntries([['job_name', job], ...names.map((name, index) => [name, values[index] ?? ''])]);
}

function hrTime(epochMs: number): HrTime {
  return [Math.floor(epochMs / 1000), Math.round((epochMs % 1000) * 1e6)];
}
