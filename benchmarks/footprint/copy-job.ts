import type { Duration } from '#engine';
import { defineJob, type JobDefinition, partitionLog } from '#operators';
import { Measure } from '../t1/workload.ts';

export const JOB = 'footprint';
export const INPUT = 't1';
export const OUTPUT = 'footprint-out';
/** Variable with the job's checkpoint interval. Output of an exactly-once job is there with the checkpoint that covers it. */
export const INTERVAL_VARIABLE = 'MILLRACE_FOOTPRINT_INTERVAL';

/** The smallest job that is one: reads a topic, looks at each record, writes what is left to another. */
export default function copyJob({
  variables,
}: {
  readonly variables: Readonly<Record<string, string | undefined>>;
}): JobDefinition {
  const checkpointInterval = (variables[INTERVAL_VARIABLE] ?? '5s') as Duration;
  return defineJob(JOB, { guarantee: 'exactly-once', checkpointInterval }, (job) => {
    job
      .source('measures', partitionLog(INPUT, Measure), { outOfOrderness: '1s' })
      .filter(({ battery }) => battery > -1e9)
      .to('out', partitionLog(OUTPUT, Measure, { partitions: 1 }));
  });
}
