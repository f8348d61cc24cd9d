import { HISTORY_METRICS } from '../../../ops/telemetry/history-totals.ts';
import { CHECKPOINT_DURATION, JOB_METRICS } from '../../../ops/telemetry/job-metrics.ts';
import { PROCESS_METRICS } from '../../../ops/telemetry/process-metrics.ts';

/** Every name that a scrape of the engine has. */
export function exportedNames(): ReadonlySet<string> {
  const histogram = ['bucket', 'sum', 'count'].map((part) => `${CHECKPOINT_DURATION.name}_${part}`);
  const others = Object.values(HISTORY_METRICS);
  return new Set([...JOB_METRICS, ...PROCESS_METRICS, ...others].map(({ name }) => name).concat(histogram));
}

/** Names of series in a text of PromQL that belong to Millrace; a colon marks a recording rule. */
export function namesIn(promql: string): readonly string[] {
  return [...promql.matchAll(/\bmillrace[_:][a-z0-9_:]+/g)].map(([name]) => name);
}
