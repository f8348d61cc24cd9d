import { Worker } from 'node:worker_threads';
import { errorOf, errorText, type JobModuleContext, MillraceError, systemClock } from '#engine';
import type { InspectionData, InspectionReport } from './inspection-thread.ts';

/** What is known of a job before it runs. */
export interface InspectedJob {
  readonly name: string;
  /** As the job declares it. */
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Ids of sources, operators with state and sinks. */
  readonly operators: readonly string[];
}

const INSPECTION_MS_MAX = 30_000;

/**
 * Runs a job's module once in a thread that is thrown away, and checks the job's graph.
 * @param url of the module
 * @throws MR_CONFIG_INVALID when the module has no job, ends its process, throws, or takes too long; MR_GRAPH_INVALID
 */
export async function inspectModule(
  url: string,
  context: Omit<JobModuleContext, 'job'>,
): Promise<InspectedJob> {
  const { redisUrl, namespace, variables } = context;
  const data: InspectionData = { url, context: { redisUrl, namespace, variables } };
  const thread = new Worker(new URL('./inspection-thread-entry.mjs', import.meta.url), { workerData: data });
  const patience = new AbortController();
  try {
    const report = await Promise.race([
      reportOf(thread, url),
      systemClock.sleep(INSPECTION_MS_MAX, patience.signal).then(() => null),
    ]);
    if (report === null) throw unusable(url, `was not ready within ${INSPECTION_MS_MAX / 1_000} s`);
    if (report.kind === 'failed') throw errorOf(report.error);
    return report.job;
  } finally {
    patience.abort();
    await thread.terminate();
  }
}

function reportOf(thread: Worker, url: string): Promise<InspectionReport> {
  return new Promise((resolve, reject) => {
    thread.on('message', resolve);
    thread.on('error', (error) => reject(unusable(url, `failed: ${errorText(error)}`)));
    thread.on('exit', (code) => reject(unusable(url, `ended its process with code ${code}`)));
  });
}

function unusable(url: string, why: string): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `The job module ${url} ${why}. A module only describes its job; it must load at once and leave its process alone.`,
  );
}
