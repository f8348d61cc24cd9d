import { type BundleStore, type DesiredJob, MillraceError } from '#engine';
import { BundleFiles } from '../bundle/bundle-files.ts';

/** Where a process gets the code of jobs from; plain data, so that it can go to a thread. */
export interface JobSources {
  /** Folder for bundles. */
  readonly folder: string;
  /** Job name → URL of a module on this machine, for jobs without a bundle. */
  readonly local: Readonly<Record<string, string>>;
}

/** True when {@link moduleOf} can give the job's code. */
export function knowsJob(
  { local }: JobSources,
  { name, bundle }: Pick<DesiredJob, 'name' | 'bundle'>,
): boolean {
  return bundle !== null || Object.hasOwn(local, name);
}

/**
 * URL of the module with a job's code: of its bundle, or of the local module with its name.
 * @throws MR_CONFIG_INVALID, MR_BUNDLE_INVALID, MR_REDIS_UNAVAILABLE
 */
export async function moduleOf(
  { folder, local }: JobSources,
  store: BundleStore,
  { name, bundle }: Pick<DesiredJob, 'name' | 'bundle'>,
): Promise<string> {
  if (bundle !== null) return new BundleFiles(folder).url(store, bundle);
  const url = Object.hasOwn(local, name) ? local[name] : undefined;
  if (url !== undefined) return url;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `This worker does not know job '${name}'. Deploy it, or start every worker with --job <its module>.`,
  );
}
