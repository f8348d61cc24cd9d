import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { OperatorState } from '../runtime/operator.ts';
import { AdoptedParts } from './adopted-parts.ts';
import { BlobPacker } from './blob-packer.ts';
import type { CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { BlobRange, GroupRange, Manifest, SnapshotRef } from './manifest.ts';
import { compressPart } from './part-compression.ts';
import { Slices } from './slices.ts';
import { encodeHead } from './snapshot-codec.ts';
import { GroupPacking } from './group-packing.ts';
import { HEAD, planSnapshot, type SnapshotPlan } from './snapshot-plan.ts';

/** One operator's subtask as it was at a barrier. */
export interface SubtaskSnapshot {
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly state: OperatorState;
}

/** A stored snapshot, and how much of it is new. Bytes as stored, so after compression. */
export interface WrittenSnapshot {
  readonly ref: SnapshotRef;
  /** All of it. */
  readonly stateBytes: number;
  /** What this checkpoint stored; the rest was stored before. */
  readonly writtenBytes: number;
}

/**
 * Stores the snapshots of one attempt's subtasks, of each what has changed since its last one.
 *
 * Operators count what they have handed over as clean. So every snapshot that is taken should come here, to {@link write} or to
 * {@link discard}, and every checkpoint that is given up be told to {@link forget}; where one is missing in the row of a
 * subtask's checkpoint ids, the next snapshot is written whole.
 * Snapshots of one subtask are written one after another, in the order of the calls. Suspends between the slices that packing is cut
 * into (SL1), and while blobs are on their way.
 *
 * SN1 A key group is left where it lies only if nobody has called it dirty since the snapshot that put it there. What a failed or
 *     discarded snapshot calls dirty counts for the next one; a missing one counts for everything.
 * SN2 A snapshot names only blobs that the newest published manifest names or that are newer than it, so that collection (CP5)
 *     leaves them until the next manifest names them: it builds on the subtask's last written snapshot, which a published
 *     manifest in between would contain.
 * SN3 Per subtask, stored bytes are at most twice the living ones (PG2).
 */
export class SnapshotWriter {
  readonly #store: CheckpointStore;
  readonly #ownership: Ownership;
  readonly #slices: Slices;
  /** Of snapshots that are not being written now. */
  readonly #spare: GroupPacking[] = [];
  readonly #subtasks = new Map<string, SubtaskHistory>();
  #adopted: AdoptedParts | null = null;
  #abortedUpTo = 0;

  constructor(options: {
    readonly store: CheckpointStore;
    readonly ownership: Ownership;
    readonly clock: Clock;
  }) {
    this.#store = options.store;
    this.#ownership = options.ownership;
    this.#slices = new Slices(options.clock);
  }

  /**
   * The subtasks have been restored from this manifest: their first snapshots build on it, at any parallelism. Without
   * effect for the manifest of another job, whose blobs are not this job's to keep. Before the first {@link write}.
   */
  adopt(manifest: Manifest): void {
    if (manifest.job === this.#ownership.job) this.#adopted = new AdoptedParts(manifest);
  }

  /**
   * This checkpoint and those before it that are still being written will not be published. Writing them ends early, with
   * MR_CHECKPOINT_FAILED. What was written of it serves the next one.
   */
  forget(checkpoint: CheckpointId): void {
    this.#abortedUpTo = Math.max(this.#abortedUpTo, checkpoint);
  }

  /** Lets go of a snapshot that will not be written. */
  discard(checkpoint: CheckpointId, snapshot: SubtaskSnapshot): void {
    const history = this.#history(snapshot);
    const before = this.#missed(checkpoint, history);
    snapshot.state.release?.();
    history.last = history.last.then(() => {
      history.carried = union(union(history.carried, before), snapshot.state.dirty);
    });
  }

  /**
   * Stores one snapshot and lets its operator release what it kept.
   * @throws MR_CHECKPOINT_FENCED, MR_CHECKPOINT_NO_SPACE; MR_CHECKPOINT_FAILED when it was forgotten meanwhile
   */
  async write(checkpoint: CheckpointId, snapshot: SubtaskSnapshot): Promise<WrittenSnapshot> {
    const history = this.#history(snapshot);
    const before = this.#missed(checkpoint, history);
    const written = history.last.then(() => {
      history.carried = union(history.carried, before);
      return this.#write(checkpoint, snapshot, history);
    });
    history.last = written.then(
      () => {},
      () => {},
    );
    return written;
  }

  async #write(
    checkpoint: CheckpointId,
    snapshot: SubtaskSnapshot,
    history: SubtaskHistory,
  ): Promise<WrittenSnapshot> {
    const { state } = snapshot;
    const dirty = union(history.carried, state.dirty);
    try {
      const head = encodeHead(state);
      const plan = planSnapshot({
        stored: history.stored,
        parts: [HEAD, ...state.groups.keys()],
        isDirty: (part) =>
          part === HEAD ? !sameBytes(head, history.head) : dirty === 'all' || dirty.has(part),
        smallBytes: this.#blobBytesMax / 4,
        smallBlobsMax: SMALL_BLOBS_MAX,
      });
      const { ranges, bytes } = await this.#pack(checkpoint, snapshot, head, plan);
      const stored = new Map([...plan.keep, ...ranges]);
      history.stored = stored;
      history.head = head.length <= HEAD_BYTES_KEPT ? Uint8Array.from(head) : null;
      history.carried = NONE;
      return { ref: refOf(snapshot, stored), stateBytes: bytesOf(stored), writtenBytes: bytes };
    } catch (error) {
      history.carried = dirty;
      throw error;
    } finally {
      state.release?.();
    }
  }

  /** Packs what the plan names, in slices. The head comes last: beside little, else by itself, since every restore reads it. */
  async #pack(checkpoint: CheckpointId, snapshot: SubtaskSnapshot, head: Uint8Array, plan: SnapshotPlan) {
    const { operator, subtask, state } = snapshot;
    const packer = new BlobPacker({
      blobBytesMax: this.#blobBytesMax,
      writesInFlightMax: LIMITS.blobWritesInFlightMax,
      write: (number, bytes) =>
        this.#store.writeBlob(this.#ownership, checkpoint, `${operator}.${subtask}.${number}`, bytes),
    });
    const packing = this.#spare.pop() ?? new GroupPacking(this.#slices);
    try {
      for (const part of plan.write) {
        if (part === HEAD) continue;
        this.#refuseAborted(checkpoint);
        const { bytes, compressed } = await packing.pack(state.groups, part);
        await packer.add(part, bytes, compressed);
      }
      this.#refuseAborted(checkpoint);
      if (plan.write.includes(HEAD)) {
        const { bytes, compressed } = compressPart(head);
        if (packer.bytes + bytes.length > ONE_BLOB_BYTES_MAX) await packer.seal();
        await packer.add(HEAD, bytes, compressed);
      }
      const packed = await packer.finish();
      this.#refuseAborted(checkpoint);
      return packed;
    } finally {
      await packer.settle();
      if (this.#spare.length < SPARE_MAX) this.#spare.push(packing);
    }
  }

  get #blobBytesMax(): number {
    return this.#store.blobBytesMax ?? LIMITS.blobBytesMax;
  }

  #history({ operator, subtask, parallelism }: SubtaskSnapshot): SubtaskHistory {
    const key = `${operator}.${subtask}`;
    let history = this.#subtasks.get(key);
    if (history === undefined) {
      const stored = this.#adopted?.of(operator, subtask, parallelism) ?? new Map<number, BlobRange>();
      history = { stored, head: null, carried: NONE, seen: null, last: Promise.resolve() };
      this.#subtasks.set(key, history);
    }
    return history;
  }

  /** What may be dirty because of snapshots between the subtask's last one and this one, which have not come here. */
  #missed(checkpoint: CheckpointId, history: SubtaskHistory): DirtyGroups {
    const none = history.seen === null ? this.#abortedUpTo === 0 : checkpoint === history.seen + 1;
    history.seen = checkpoint;
    return none ? NONE : 'all';
  }

  #refuseAborted(checkpoint: CheckpointId): void {
    if (checkpoint > this.#abortedUpTo) return;
    const { job } = this.#ownership;
    throw new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Checkpoint ${checkpoint} of job '${job}' was given up before its snapshots were written.`,
      { details: { job, checkpoint } },
    );
  }
}

/** Memory for the next snapshots that are written at one time. */
const SPARE_MAX = 4;
/** A head may lie beside groups in a blob of at most this. */
const ONE_BLOB_BYTES_MAX = 32 * 1024;
/** Heads up to this are remembered, to see that one has not changed. */
const HEAD_BYTES_KEPT = 4 * 1024;
/** Per subtask of an operator. */
const SMALL_BLOBS_MAX = 16;

type DirtyGroups = ReadonlySet<number> | 'all';
const NONE: DirtyGroups = new Set();

interface SubtaskHistory {
  /** Where the parts of its last written snapshot lie. */
  stored: ReadonlyMap<number, BlobRange>;
  head: Uint8Array | null;
  /** Dirty groups of snapshots since, which were not written. */
  carried: DirtyGroups;
  /** Checkpoint of its last snapshot that came here. */
  seen: CheckpointId | null;
  /** Ends, without failing, when what was asked for so far is done. */
  last: Promise<void>;
}

function union(carried: DirtyGroups, dirty: DirtyGroups | undefined): DirtyGroups {
  if (carried === 'all' || dirty === 'all' || dirty === undefined) return 'all';
  return carried.size === 0 ? dirty : new Set([...carried, ...dirty]);
}

function sameBytes(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && Buffer.compare(a, b) === 0;
}

function refOf(
  { operator, subtask, parallelism }: SubtaskSnapshot,
  stored: ReadonlyMap<number, BlobRange>,
): SnapshotRef {
  const groups: GroupRange[] = [];
  for (const [group, range] of stored) if (group !== HEAD) groups.push({ group, ...range });
  groups.sort((a, b) => a.group - b.group);
  return { operator, subtask, parallelism, head: stored.get(HEAD) as BlobRange, groups };
}

function bytesOf(stored: ReadonlyMap<number, BlobRange>): number {
  let sum = 0;
  for (const { pieces } of stored.values()) for (const { bytes } of pieces) sum += bytes;
  return sum;
}
