import { invariant, MillraceError } from '../base/errors.ts';
import { keyGroupRange } from '../key/key-group.ts';
import type { OperatorState } from '../runtime/operator.ts';
import { LazyGroups } from '../state/lazy-groups.ts';
import { readBlobs } from './blob-reader.ts';
import type { BlobRef, CheckpointStore } from './checkpoint-store.ts';
import type { BlobRange, Manifest, SinkCommit, SnapshotRef } from './manifest.ts';
import { decompressPart } from './part-compression.ts';
import { decodeGroup, decodeHead, type SnapshotHead } from './snapshot-codec.ts';

export interface RestoreOptions {
  /** Ids of the job that restores; state of any other operator is refused, not dropped. */
  readonly operators: ReadonlySet<string>;
  readonly maxParallelism: number;
  readonly parallelism: number;
  /** Whose key groups are loaded; heads are loaded whole. */
  readonly subtasks: readonly number[];
}

/**
 * The state of one checkpoint, as far as some subtasks need it, dealt out to a job that may run at another parallelism.
 *
 * RD1 Each blob that the subtasks need is read once, and no other.
 * RD2 A key group is decoded when it is asked for.
 */
export class RestoredState {
  readonly manifest: Manifest | null;
  readonly #snapshots: ReadonlyMap<string, readonly SnapshotRef[]>;
  readonly #blobs: ReadonlyMap<string, Uint8Array>;

  private constructor(
    manifest: Manifest | null,
    snapshots: ReadonlyMap<string, readonly SnapshotRef[]>,
    blobs: ReadonlyMap<string, Uint8Array>,
  ) {
    this.manifest = manifest;
    this.#snapshots = snapshots;
    this.#blobs = blobs;
  }

  /** State of a job that starts afresh. */
  static empty(): RestoredState {
    return new RestoredState(null, new Map(), new Map());
  }

  /**
   * Reads what some subtasks need of a manifest.
   * @throws MR_STATE_INCOMPATIBLE, MR_CHECKPOINT_CORRUPT
   */
  static async load(
    store: CheckpointStore,
    manifest: Manifest,
    options: RestoreOptions,
  ): Promise<RestoredState> {
    refuseMismatch(manifest, options.operators, options.maxParallelism);
    const snapshots = new Map<string, SnapshotRef[]>();
    for (const ref of manifest.snapshots.toSorted((a, b) => a.subtask - b.subtask))
      snapshots.set(ref.operator, [...(snapshots.get(ref.operator) ?? []), ref]);
    const blobs = await readBlobs(store, manifest.job, neededBlobs(manifest, options));
    return new RestoredState(manifest, snapshots, blobs);
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
    const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
    let item = 0;
    return (this.#snapshots.get(operator) ?? []).map((snapshot) => {
      const head = this.#head(snapshot);
      const mine = snapshot.groups.filter(({ group }) => group >= first && group <= last);
      const ranges = new Map(mine.map((range) => [range.group, range]));
      return {
        ...head,
        items: head.items.filter(() => item++ % parallelism === subtask),
        groups: new LazyGroups(ranges.keys(), (group) =>
          decodeGroup(this.#bytes(ranges.get(group) as BlobRange)),
        ),
      };
    });
  }

  /** All items of an operator, for sources, which know themselves what is theirs. */
  items(operator: string): readonly unknown[] {
    return (this.#snapshots.get(operator) ?? []).flatMap((snapshot) => this.#head(snapshot).items);
  }

  /** What must be committed of a sink, `seq` rising. */
  sinkCommits(operator: string): readonly SinkCommit[] {
    const commits = this.manifest?.sinks.filter((sink) => sink.operator === operator) ?? [];
    return commits.sort((a, b) => a.seq - b.seq);
  }

  /** The last of a sink's commits. */
  sink(operator: string): SinkCommit | null {
    return this.sinkCommits(operator).at(-1) ?? null;
  }

  #head(snapshot: SnapshotRef): SnapshotHead {
    return decodeHead(this.#bytes(snapshot.head));
  }

  #bytes({ pieces, compressed }: BlobRange): Uint8Array {
    const parts = pieces.map(({ blob, offset, bytes }) => {
      const whole = this.#blobs.get(blob.key);
      invariant(whole !== undefined, `blob '${blob.key}' is asked for by a subtask it was not loaded for`);
      return whole.subarray(offset, offset + bytes);
    });
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    return compressed ? decompressPart(bytes) : bytes;
  }
}

/** Blobs of all heads, and of the key groups of some subtasks. */
function neededBlobs(
  manifest: Manifest,
  { subtasks, parallelism, maxParallelism }: RestoreOptions,
): readonly BlobRef[] {
  const wanted = new Uint8Array(maxParallelism);
  for (const subtask of subtasks) {
    const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
    wanted.fill(1, first, last + 1);
  }
  const blobs = new Map<string, BlobRef>();
  const add = ({ pieces }: BlobRange) => {
    for (const { blob } of pieces) blobs.set(blob.key, blob);
  };
  for (const { head, groups } of manifest.snapshots) {
    add(head);
    for (const range of groups) if (wanted[range.group] === 1) add(range);
  }
  return [...blobs.values()];
}

/**
 * Throws when the job cannot take over all state of the manifest.
 * @throws MR_STATE_INCOMPATIBLE
 */
export function refuseMismatch(
  manifest: Manifest,
  operators: ReadonlySet<string>,
  maxParallelism: number,
): void {
  const orphans = [...new Set(manifest.snapshots.map((s) => s.operator))].filter((id) => !operators.has(id));
  if (orphans.length > 0) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Checkpoint ${manifest.id} of job '${manifest.job}' holds state of ${orphans.map((id) => `'${id}'`).join(', ')}, which the job no longer has. ` +
        'Give the operator its old id back, allow its state to be dropped, or start the job under another name.',
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
