import { hasCode, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { CheckpointStore, Ownership } from '../checkpoint/checkpoint-store.ts';
import { type BlobCopy, relocated } from '../checkpoint/import-savepoint.ts';
import type { Manifest, SinkCommit, SnapshotRef } from '../checkpoint/manifest.ts';
import { blobsOf } from '../checkpoint/manifest-codec.ts';
import { RestoredState } from '../checkpoint/restored-state.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { sinksOf } from '../runtime/job-sinks.ts';

/** What the state of a job is adopted in. */
interface Adopting {
  readonly store: CheckpointStore;
  readonly log: PartitionLog;
  readonly uuid: () => string;
}

/**
 * Makes a chosen checkpoint the job's own, before anything is processed: one of another job (a fork) is copied, and of operators that
 * the job does not have any more, which {@link chooseRestore} let through, the state is left out. It is published as a new checkpoint
 * of this job, which every restart finds. A checkpoint that is the job's own, with nothing to leave out, is given back as it is.
 *
 * AD1 when it returns, the job needs nothing of the other job any more: what that one retires and collects, or that it is removed, does
 *     not keep this one from restarting.
 * AD2 the job's positions are registered before its manifest is published, so that no log is trimmed beyond them.
 * AD3 a fork's sinks are new ones, whose ids are published with it: an attempt that dies early leaves no output that nobody knows.
 * AD4 topics that only sources without state any more have read are let go of: they would never be trimmed.
 * @throws MR_CHECKPOINT_FAILED when the other job retires it meanwhile; MR_CHECKPOINT_FENCED, MR_CHECKPOINT_NO_SPACE, MR_CHECKPOINT_CORRUPT
 */
export async function adoptState(
  chosen: Manifest,
  ownership: Ownership,
  graph: ExecutionGraph,
  adopting: Adopting,
): Promise<Manifest> {
  const { store, log, uuid } = adopting;
  const { job, generation } = ownership;
  const nodes = new Set(graph.job.nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node.id])));
  const kept = chosen.snapshots.filter(({ operator }) => nodes.has(operator));
  const isFork = chosen.job !== job;
  if (!isFork && kept.length === chosen.snapshots.length) return chosen;
  const left = await topicsLeft(store, chosen, kept);
  const positions = chosen.positions.filter(({ topic }) => !left.has(topic));
  if (positions.length > 0) await log.registerPositions(job, generation, positions);
  const id = await store.nextCheckpointId(ownership);
  const remaining: Manifest = { ...chosen, snapshots: kept, positions };
  const copied = isFork ? await copyBlobs(remaining, ownership, id, store) : remaining;
  const newSinks = (): SinkCommit[] =>
    sinksOf(graph).map(({ operator }) => ({ operator, sinkId: uuid(), seq: id, committables: [] }));
  const adopted: Manifest = {
    ...copied,
    job,
    id,
    generation,
    kind: 'checkpoint',
    operators: chosen.operators.filter((operator) => nodes.has(operator.id)),
    sinks: isFork ? newSinks() : chosen.sinks,
  };
  const confirmDurable = () => Promise.all([log.confirmDurable(), store.confirmDurable()]);
  await confirmDurable();
  await store.publish(ownership, adopted, graph.job.options.checkpointsRetained);
  await confirmDurable();
  if (!isFork) for (const topic of left) await log.unregisterJob(job, topic);
  return adopted;
}

/** The manifest with all that it names copied for the job that `ownership` is of. */
async function copyBlobs(
  manifest: Manifest,
  ownership: Ownership,
  id: Manifest['id'],
  store: CheckpointStore,
): Promise<Manifest> {
  const copies = new Map<string, readonly BlobCopy[]>();
  const waiting = blobsOf(manifest).entries();
  const chunkBytes = store.blobBytesMax ?? LIMITS.blobBytesMax;
  const work = async () => {
    for (const [number, blob] of waiting) {
      const bytes = await store.readBlob(manifest.job, blob);
      const chunks: BlobCopy[] = [];
      for (let at = 0; at === 0 || at < bytes.length; at += chunkBytes) {
        const name = `fork.${number}.${chunks.length}`;
        const ref = await store.writeBlob(ownership, id, name, bytes.subarray(at, at + chunkBytes));
        chunks.push({ start: at, ref });
      }
      copies.set(blob.key, chunks);
    }
  };
  try {
    await Promise.all(Array.from({ length: LIMITS.blobWritesInFlightMax }, work));
  } catch (error) {
    const isGone =
      hasCode(error, 'MR_CHECKPOINT_CORRUPT') && (await store.manifest(manifest.job, manifest.id)) === null;
    throw isGone ? retired(manifest, ownership.job, error) : error;
  }
  return relocated(manifest, copies);
}

/** Topics that only the sources left out have read. */
async function topicsLeft(
  store: CheckpointStore,
  manifest: Manifest,
  kept: readonly SnapshotRef[],
): Promise<ReadonlySet<string>> {
  if (kept.length === manifest.snapshots.length) return new Set();
  const { parallelism, maxParallelism } = manifest;
  const operators = new Set(manifest.snapshots.map(({ operator }) => operator));
  const heads = await RestoredState.load(store, manifest, {
    operators,
    parallelism,
    maxParallelism,
    subtasks: [],
  });
  const topicsOf = (operator: string) =>
    heads.items(operator).flatMap((item) => {
      const { topic } = (item ?? {}) as { readonly topic?: unknown };
      return typeof topic === 'string' ? [topic] : [];
    });
  const staying = new Set(kept.map(({ operator }) => operator));
  const read = new Set([...staying].flatMap(topicsOf));
  const left = [...operators].filter((operator) => !staying.has(operator)).flatMap(topicsOf);
  return new Set(left.filter((topic) => !read.has(topic)));
}

function retired({ job, id }: Manifest, fork: string, cause: unknown): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_FAILED',
    `Checkpoint ${id} of job '${job}' was retired while job '${fork}' copied it. Fork from a savepoint, which stays until it is removed.`,
    { cause, details: { job: fork, checkpoint: id } },
  );
}
