import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  BundleStore,
  checkpointId,
  type CheckpointStore,
  type InspectedCheckpoint,
  type JobGraph,
  loadJob,
  type Manifest,
  MillraceError,
  openCheckpoint,
} from '#engine';
import { STATE_DESCRIBERS } from '#operators';
import { BundleFiles } from '../bundle/bundle-files.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Connection } from './command.ts';

/** The options of commands that look into a checkpoint. */
export const MODULE_HELP = `  --module <file>      the job's code, which names fields and results; default: the bundle that took the checkpoint`;

/** A retained checkpoint, by default the newest. @throws MR_CONFIG_INVALID when there is none */
export async function chosenManifest(
  store: CheckpointStore,
  job: string,
  id: number | null,
): Promise<Manifest> {
  const manifest = id === null ? await store.latest(job) : await store.manifest(job, checkpointId(id));
  if (manifest !== null) return manifest;
  const what = id === null ? 'no checkpoint' : `no checkpoint ${id}`;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Job '${job}' has ${what}. 'millrace checkpoints ${job}' lists them.`,
  );
}

/** Opens it with the code of its job where that is at hand. */
export async function openWithCode(
  { cluster }: ClusterView,
  store: CheckpointStore,
  manifest: Manifest,
  { connection, module }: { readonly connection: Connection; readonly module: string | undefined },
): Promise<InspectedCheckpoint> {
  const { job, jobVersion, id } = manifest;
  const folder = await mkdtemp(join(tmpdir(), 'millrace-inspect-'));
  try {
    const bundles = new BundleStore(cluster);
    let url: string | null = null;
    if (module !== undefined) url = pathToFileURL(resolve(module)).href;
    else if (jobVersion !== '' && (await bundles.has(jobVersion)))
      url = await new BundleFiles(folder).url(bundles, jobVersion);
    if (url === null)
      process.stderr.write(
        `The code of job '${job}' is not at hand: keys and results are shown without their names. Give --module.\n`,
      );
    return await openCheckpoint(
      store,
      job,
      id,
      url === null ? { describers: STATE_DESCRIBERS } : { graph: await graphOf(url, connection, job) },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param job that the code is run as. @throws MR_CONFIG_INVALID, MR_GRAPH_INVALID; what the module throws */
export async function graphOf(url: string, connection: Connection, job?: string): Promise<JobGraph> {
  const { redisUrl, namespace, variables } = connection;
  return (await loadJob(url, { redisUrl, namespace, variables }, job)).graph();
}
