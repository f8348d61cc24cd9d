import type { CheckpointId, Generation } from '../base/brand.ts';
import type { Manifest } from './manifest.ts';

/**
 * Where checkpoints live. Writes blobs, publishes manifests under two fences, collects what nothing refers to.
 * redis-checkpoint-store.ts and memory-checkpoint-store.ts keep this contract; one suite runs on both.
 */
export interface CheckpointStore {
  /** Bytes of the largest blob that it takes. Default: LIMITS.blobBytesMax. */
  readonly blobBytesMax?: number;
  /**
   * Takes the job over: bumps the coordinator token and the generation before anything is read, in one atomic step.
   * From here on an older token can publish nothing and an older generation can write no blob.
   */
  readonly takeOver: (job: string, owner: string) => Promise<Ownership>;
  /** Starts another attempt under the same token: generation + 1. @throws MR_CHECKPOINT_FENCED when the token is not the current one. */
  readonly nextGeneration: (ownership: Ownership) => Promise<Ownership>;
  /** The next checkpoint id of this job; rises by one across restarts. @throws MR_CHECKPOINT_FENCED */
  readonly nextCheckpointId: (ownership: Ownership) => Promise<CheckpointId>;

  /**
   * Stores one immutable blob (≤ {@link blobBytesMax}) under this generation. Works when the server is at its memory limit,
   * inside the reserved byte budget.
   * @throws MR_CHECKPOINT_FENCED, MR_CHECKPOINT_NO_SPACE
   */
  readonly writeBlob: (
    ownership: Ownership,
    checkpoint: CheckpointId,
    name: string,
    bytes: Uint8Array,
  ) => Promise<BlobRef>;
  /** @throws MR_CHECKPOINT_CORRUPT when it is missing or its CRC differs. */
  readonly readBlob: (job: string, ref: BlobRef) => Promise<Uint8Array>;

  /**
   * Makes a checkpoint the latest one, atomically: the token and the generation must be current, and the id new. Publishing the
   * same id again with the same token answers `already`. Retires what is beyond `retain` (savepoints stay).
   * @throws MR_CHECKPOINT_FENCED
   */
  readonly publish: (
    ownership: Ownership,
    manifest: Manifest,
    retain: number,
  ) => Promise<'published' | 'already'>;
  /** Waits until all earlier writes to this store are as durable as declared. @throws MR_CHECKPOINT_NOT_DURABLE */
  readonly confirmDurable: () => Promise<void>;
  /** How often a server with another history was found, by whichever caller: who shares this store compares it. Missing: never. */
  readonly historyChanges?: () => number;

  /** The newest published manifest, checkpoint or savepoint, or null. */
  readonly latest: (job: string) => Promise<Manifest | null>;
  readonly manifest: (job: string, id: CheckpointId) => Promise<Manifest | null>;
  /** All retained manifests, oldest first. */
  readonly list: (job: string) => Promise<readonly Manifest[]>;
  /** Keys of all stored blobs. */
  readonly blobs: (job: string) => Promise<readonly string[]>;
  /** Deletes blobs that no retained manifest names, except unpublished uploads of the current generation. Returns bytes freed. */
  readonly collect: (job: string) => Promise<number>;
  /** Forgets one retained checkpoint or savepoint. */
  readonly remove: (job: string, id: CheckpointId) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Proof of who may publish (token) and whose output counts (generation). */
export interface Ownership {
  readonly job: string;
  /** `n:uuid`, compared for equality only. */
  readonly token: string;
  readonly generation: Generation;
}

/** A stored blob: key, length and CRC-32 of its bytes. */
export interface BlobRef {
  readonly key: string;
  readonly bytes: number;
  readonly crc: number;
}
