import { parentPort, workerData } from 'node:worker_threads';
import {
  errorCode,
  type ErrorRecord,
  errorRecord,
  errorText,
  type JobModuleContext,
  loadJob,
  MillraceError,
  validateGraph,
} from '#engine';
import type { InspectedJob } from './inspect-module.ts';

export interface InspectionData {
  readonly url: string;
  readonly context: Omit<JobModuleContext, 'job'>;
}

export type InspectionReport =
  | { readonly kind: 'job'; readonly job: InspectedJob }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

async function inspect({ url, context }: InspectionData): Promise<InspectionReport> {
  try {
    const loaded = await loadJob(url, context);
    const { name, options, nodes } = loaded.graph();
    validateGraph(loaded.graph());
    const { parallelism, maxParallelism } = options;
    const operators = nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node.id]));
    return { kind: 'job', job: { name, parallelism, maxParallelism, operators } };
  } catch (error) {
    return { kind: 'failed', error: errorRecord(errorCode(error) === null ? thrown(url, error) : error) };
  }
}

function thrown(url: string, error: unknown): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `The job module ${url} cannot be loaded: ${errorText(error)}`,
    {
      cause: error,
    },
  );
}

parentPort?.postMessage(await inspect(workerData as InspectionData));
