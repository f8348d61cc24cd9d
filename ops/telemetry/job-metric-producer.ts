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
import { HISTORY_METRICS, HistoryTotals } from './history-totals.ts';
import { CHECKPOINT_DURATION, JOB_METRICS, type MetricDefinition, type Sample } from './job-metrics.ts';
import { PROCESS_METRICS, ProcessReadings } from './process-metrics.ts';
import { RunningTotals } from './running-totals.ts';

/** Series of one process at most; what is beyond is left out and counted in `millrace_metrics_series_dropped`. */
const SERIES_MAX = 20_000;

/**
 * Hands the status of all jobs to OpenTelemetry once per collection. Tasks count in plain slots and know nothing of
 * metrics; no instrument is called per record.
 * Owns what grows over the attempts of a job, and a listener on each; `close` gives both back.
 */
export class JobMetricProducer implements MetricProducer {
  readonly #jobs: () => readonly JobHandle[];
  readonly #clock: Clock;
  readonly #resource: Resource;
  readonly #startTime: HrTime;
  readonly #process = new ProcessReadings();
  readonly #followed = new Map<JobHandle, FollowedJob>();

  constructor(jobs: () => readonly JobHandle[], clock: Clock, resource: Resource) {
    this.#jobs = jobs;
    this.#clock = clock;
    this.#resource = resource;
    this.#startTime = hrTime(clock.now());
    this.#follow();
  }

  collect(): Promise<CollectionResult> {
    const now = this.#clock.now();
    const looks = this.#follow().map((followed) => followed.look(now));
    const budget = new SeriesBudget(SERIES_MAX);
    const metrics = JOB_METRICS.map((definition) => this.#metric(definition, looks, now, budget));
    metrics.push(...this.#historyMetrics(looks, now, budget), this.#histogram(looks, now));
    metrics.push(...this.#processMetrics(now, budget));
    const scopeMetrics = [
      { scope: { name: 'millrace' }, metrics: metrics.filter((metric) => metric.dataPoints.length > 0) },
    ];
    return Promise.resolve({ resourceMetrics: { resource: this.#resource, scopeMetrics }, errors: [] });
  }

  close(): void {
    for (const followed of this.#followed.values()) followed.stop();
    this.#followed.clear();
    this.#process.stop();
  }

  /** Listens to jobs that are new and forgets those that are gone. */
  #follow(): readonly FollowedJob[] {
    const jobs = this.#jobs();
    for (const [job, followed] of this.#followed) {
      if (jobs.includes(job)) continue;
      followed.stop();
      this.#followed.delete(job);
    }
    return jobs.map((job) => {
      const followed = this.#followed.get(job) ?? new FollowedJob(job, this.#clock);
      this.#followed.set(job, followed);
      return followed;
    });
  }

  #metric(
    definition: MetricDefinition,
    looks: readonly Look[],
    now: number,
    budget: SeriesBudget,
  ): MetricData {
    const dataPoints = looks.flatMap(({ status, totals }) => {
      const samples =
        definition.kind === 'counter' ? totals.read(definition, status, now) : definition.read(status, now);
      return this.#points(definition.labels, status.name, samples, now);
    });
    return numberMetric(definition, budget.take(dataPoints));
  }

  #historyMetrics(looks: readonly Look[], now: number, budget: SeriesBudget): MetricData[] {
    return Object.entries(HISTORY_METRICS).map(([name, definition]) => {
      const dataPoints = looks.flatMap(({ status, history }) =>
        this.#points(definition.labels, status.name, history.read(name as keyof typeof HISTORY_METRICS), now),
      );
      return numberMetric({ ...definition, kind: 'counter' }, budget.take(dataPoints));
    });
  }

  #points(
    labels: readonly string[],
    job: string,
    samples: Iterable<Sample>,
    now: number,
  ): readonly NumberPoint[] {
    return Array.from(samples, ([values, value]) => this.#point(attributes(job, labels, values), value, now));
  }

  #histogram(looks: readonly Look[], now: number): MetricData {
    const boundaries = [...CHECKPOINT_DURATION.bucketsSeconds];
    const dataPoints = looks.flatMap(({ status, durations }) =>
      Array.from(durations.histograms(), ({ kind, outcome, counts, sumSeconds, count }) => {
        const value = { buckets: { boundaries, counts: [...counts] }, sum: sumSeconds, count };
        return this.#point(attributes(status.name, CHECKPOINT_DURATION.labels, [kind, outcome]), value, now);
      }),
    );
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

/** What a collection sees of one job. */
interface Look {
  readonly status: JobStatus;
  readonly totals: RunningTotals;
  readonly history: HistoryTotals;
  readonly durations: CheckpointDurations;
}

/** Looks at a job on every change of it and at every collection, so that nothing is missed in between (RU2, FE1). */
class FollowedJob {
  readonly stop: () => void;
  readonly #job: JobHandle;
  readonly #totals = new RunningTotals();
  readonly #history = new HistoryTotals();
  readonly #durations = new CheckpointDurations();

  constructor(job: JobHandle, clock: Clock) {
    this.#job = job;
    this.stop = job.onChange(() => this.look(clock.now()));
  }

  look(now: number): Look {
    const status = this.#job.status();
    const [totals, history, durations] = [this.#totals, this.#history, this.#durations];
    totals.observe(status, now);
    history.observe(status);
    durations.observe(status);
    return { status, totals, history, durations };
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
