import { MillraceError } from '../base/errors.ts';
import { keyGroupRange } from '../key/key-group.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { Manifest, SinkCommit } from './manifest.ts';
import { decodeSnapshot } from './snapshot-codec.ts';

/** The state of one checkpoint, loaded, and dealt out to the subtasks of a job that may run at another parallelism. */
export class RestoredState {
  readonly manifest: Manifest | null;
  readonly #snapshots: ReadonlyMap<string, readonly Uint8Array[]>;

  private constructor(manifest: Manifest | null, snapshots: ReadonlyMap<string, readonly Uint8Array[]>) {
    this.manifest = manifest;
    this.#snapshots = snapshots;
  }

  /** State of a job that starts afresh. */
  static empty(): RestoredState {
    return new RestoredState(null, new Map());
  }

  /**
   * Reads every blob of a manifest.
   * @param operators ids of the job that restores; state of any other operator is refused, not dropped
   * @throws MR_STATE_INCOMPATIBLE, MR_CHECKPOINT_CORRUPT
   */
  static async load(
    store: CheckpointStore,
    manifest: Manifest,
    operators: ReadonlySet<string>,
    maxParallelism: number,
  ): Promise<RestoredState> {
    refuseMismatch(manifest, operators, maxParallelism);
    const snapshots = new Map<string, Uint8Array[]>();
    for (const ref of manifest.snapshots.toSorted((a, b) => a.subtask - b.subtask)) {
      const blobs = await Promise.all(ref.blobs.map((blob) => store.readBlob(manifest.job, blob)));
      snapshots.set(ref.operator, [...(snapshots.get(ref.operator) ?? []), Buffer.concat(blobs)]);
    }
    return new RestoredState(manifest, snapshots);
  }

  /**
   * Parts of an operator's state for one of its subtasks, one per subtask that wrote one, in their order: its key groups, and its share
   * of the items. Broadcast state is in every part.
   */
  parts(
    operator: string,
    subtask: number,
    parallelism: number,
    maxParallelism: number,
  ): readonly OperatorState[] {
    const range = keyGroupRange(subtask, parallelism, maxParallelism);
    const parts = (this.#snapshots.get(operator) ?? []).map((bytes) => decodeSnapshot(bytes, range));
    let item = 0;
    return parts.map((part) => ({
      ...part,
      items: part.items.filter(() => item++ % parallelism === subtask),
    }));
  }

  /** All items of an operator, for sources, which know themselves what is theirs. */
  items(operator: string): readonly unknown[] {
    return (this.#snapshots.get(operator) ?? []).flatMap((bytes) => decodeSnapshot(bytes, [0, -1]).items);
  }

  sink(operator: string): SinkCommit | null {
    return this.manifest?.sinks.find((sink) => sink.operator === operator) ?? null;
  }
}

function refuseMismatch(manifest: Manifest, operators: ReadonlySet<string>, maxParallelism: number): void {
  const orphans = [...new Set(manifest.snapshots.map((s) => s.operator))].filter((id) => !operators.has(id));
  if (orphans.length > 0) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Checkpoint ${manifest.id} of job '${manifest.job}' holds state of ${orphans.map((id) => `'${id}'`).join(', ')}, which the job no longer has. ` +
        'Give the operator its old id back, or start the job under another name.',
      { details: { job: manifest.job, checkpoint: manifest.id } },
    );
  }
  if (manifest.maxParallelism !== maxParallelism) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Checkpoint ${manifest.id} of job '${manifest.job}' has ${manifest.maxParallelism} key groups, the job asks for ${maxParallelism}; max parallelism cannot change.`,
    );
  }
}
