import { MillraceError } from '../base/errors.ts';
import type { JobModule, JobModuleContext, LoadedJob } from './host-settings.ts';

/**
 * Imports a job's module and makes the job.
 * @param url of the module
 * @throws MR_CONFIG_INVALID when its default export is no job; what the module throws
 */
export async function loadJob(url: string, context: JobModuleContext): Promise<LoadedJob> {
  const module = (await import(url)) as { readonly default?: JobModule };
  const job = typeof module.default === 'function' ? await module.default(context) : module.default;
  if (typeof job === 'object' && job !== null && typeof job.graph === 'function') return job;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `The module ${url} has no job. Its default export must be what defineJob(…) returns, or a function of the environment that returns it.`,
  );
}
