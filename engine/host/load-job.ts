import { registerHooks } from 'node:module';
import { MillraceError } from '../base/errors.ts';
import type { JobModule, JobModuleContext, LoadedJob } from './host-settings.ts';

/**
 * Imports a job's module and makes the job. What the module imports of Millrace is this process' own copy, wherever the module lies.
 * @param url of the module
 * @param name that the job runs under, when it is not its own: a fork
 * @throws MR_CONFIG_INVALID when its default export is no job; what the module throws
 */
export async function loadJob(
  url: string,
  context: Omit<JobModuleContext, 'job'>,
  name?: string,
): Promise<LoadedJob> {
  provideMillrace();
  const module = (await import(url)) as { readonly default?: JobModule };
  const job =
    typeof module.default === 'function'
      ? await module.default({ ...context, job: name ?? '' })
      : module.default;
  if (typeof job !== 'object' || job === null || typeof job.graph !== 'function') {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The module ${url} has no job. Its default export must be what defineJob(…) returns, or a function of the environment that returns it.`,
    );
  }
  if (name === undefined || name === job.name) return job;
  return { name, graph: (changes) => ({ ...job.graph(changes), name }) };
}

/** What the code of jobs may import of Millrace; bundles leave these to where they run. */
export const MILLRACE_MODULES = [
  'millrace',
  'millrace/testing',
  '#engine',
  '#operators',
  '#sinks',
  '#wire',
] as const;

/** A bundle's file: named by its hash alone. Other modules may have `#…` imports of their own. */
const BUNDLE_FILE = /\/[0-9a-f]{64}\.mjs$/;

let provided = false;

function provideMillrace(): void {
  if (provided) return;
  provided = true;
  const own = new Map<string, string>(MILLRACE_MODULES.map((name) => [name, import.meta.resolve(name)]));
  registerHooks({
    resolve(specifier, context, next) {
      const url = own.get(specifier);
      const ours =
        url !== undefined && (!specifier.startsWith('#') || BUNDLE_FILE.test(context.parentURL ?? ''));
      return ours ? { url, shortCircuit: true } : next(specifier, context);
    },
  });
}
