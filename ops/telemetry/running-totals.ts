import type { JobStatus } from '../../engine/coordinator/job-status.ts';
import { JOB_METRICS, type MetricDefinition, type Sample } from './job-metrics.ts';

/** Series of one job that are remembered. */
const SERIES_MAX = 20_000;

interface Series {
  /** Of the attempts before. */
  before: number;
  last: number;
  look: number;
}

/**
 * One job's counters over all of its attempts: the totals in a status begin anew with each.
 * RU1 a counter never decreases: a total that fell, or was not there for a while, goes on from where it was.
 * RU2 nothing is lost at a restart when this looks at every change of the job: the last totals of an attempt, and the first of the next.
 */
export class RunningTotals {
  readonly #series = new Map<string, Series>();
  #look = 0;

  observe(status: JobStatus, now: number): void {
    this.#look++;
    for (const definition of JOB_METRICS) {
      if (definition.kind !== 'counter') continue;
      for (const [labels, value] of definition.read(status, now))
        this.#see(identity(definition, labels), value);
    }
    for (const series of this.#series.values()) if (series.look !== this.#look) restart(series, 0);
  }

  /** The totals of a counter that the newest look saw. */
  read(definition: MetricDefinition, status: JobStatus, now: number): readonly Sample[] {
    return Array.from(definition.read(status, now), ([labels, value]): Sample => {
      const series = this.#series.get(identity(definition, labels));
      return [labels, (series?.before ?? 0) + value];
    });
  }

  #see(id: string, value: number): void {
    const series = this.#series.get(id);
    if (series === undefined) {
      if (this.#series.size < SERIES_MAX) this.#series.set(id, { before: 0, last: value, look: this.#look });
      return;
    }
    series.look = this.#look;
    if (value < series.last) restart(series, value);
    series.last = value;
  }
}

function restart(series: Series, value: number): void {
  series.before += series.last;
  series.last = value;
}

function identity({ name }: MetricDefinition, labels: readonly string[]): string {
  return `${name} ${labels.join('\n')}`;
}
