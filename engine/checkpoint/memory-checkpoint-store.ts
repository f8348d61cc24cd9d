import { randomUUID } from 'node:crypto';
import { type CheckpointId, checkpointId } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import { blobRef, checkedBlob, parseBlobKey } from './blob-ref.ts';
import type { BlobRef, CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { Manifest } from './manifest.ts';
import { blobsOf, decodeManifest, encodeManifest } from './manifest-codec.ts';
import {
  type ControlRecord,
  decideCollect,
  decideFence,
  decidePublish,
  decideUpload,
  takenOver,
} from './protocol.ts';
import { assertOwned, assertUploaded, publishOutcome } from './refusals.ts';

export interface MemoryCheckpointOptions {
  /** Share one between stores to have several owners, or to outlive a store. Default: a fresh one. */
  readonly storage?: MemoryCheckpointStorage;
  /** Blob bytes of one job at most. */
  readonly reservedBytes?: number;
  readonly uuid?: () => string;
}

/** What memory stores keep: jobs by name. Bytes, not objects, so that nothing is shared by accident. */
export type MemoryCheckpointStorage = Map<string, StoredJob>;

/**
 * Checkpoints in this process's memory, for tests and for jobs that need not survive it. Acts on protocol.ts directly;
 * every method decides and acts without suspending, so each is atomic.
 */
export function openMemoryCheckpointStore(options: MemoryCheckpointOptions = {}): CheckpointStore {
  return new MemoryCheckpointStore(options);
}

interface StoredJob {
  control: ControlRecord;
  takeovers: number;
  nextId: number;
  blobBytes: number;
  readonly blobs: Map<string, Uint8Array>;
  readonly manifests: Map<number, Uint8Array>;
}

const NOTHING: ControlRecord = { token: null, generation: 0, published: 0, retained: [] };

class MemoryCheckpointStore implements CheckpointStore {
  readonly #jobs: MemoryCheckpointStorage;
  readonly #reservedBytes: number;
  readonly #uuid: () => string;

  constructor(options: MemoryCheckpointOptions) {
    this.#jobs = options.storage ?? new Map();
    this.#reservedBytes = options.reservedBytes ?? LIMITS.checkpointReservedBytes;
    this.#uuid = options.uuid ?? randomUUID;
  }

  async takeOver(job: string, _owner: string): Promise<Ownership> {
    const stored = this.#job(job);
    const ownership = takenOver(stored.control, job, `${++stored.takeovers}:${this.#uuid()}`);
    stored.control = { ...stored.control, token: ownership.token, generation: ownership.generation };
    return ownership;
  }

  async nextGeneration(ownership: Ownership): Promise<Ownership> {
    const stored = this.#job(ownership.job);
    // Only the token counts: the generation is what changes here.
    assertOwned(ownership, decideFence(stored.control, { ...ownership, generation: current(stored) }));
    const next = takenOver(stored.control, ownership.job, ownership.token);
    stored.control = { ...stored.control, generation: next.generation };
    return next;
  }

  async nextCheckpointId(ownership: Ownership): Promise<CheckpointId> {
    const stored = this.#job(ownership.job);
    assertOwned(ownership, decideFence(stored.control, ownership));
    return checkpointId(++stored.nextId);
  }

  async writeBlob(ownership: Ownership, checkpoint: CheckpointId, name: string, bytes: Uint8Array) {
    const stored = this.#job(ownership.job);
    const ref = blobRef(ownership.generation, checkpoint, name, bytes);
    const before = stored.blobs.get(ref.key);
    const decision = decideUpload(stored.control, ownership, {
      bytes: ref.bytes,
      storedBytes: stored.blobBytes,
      reservedBytes: this.#reservedBytes,
      existing: before === undefined ? 'none' : Buffer.compare(before, bytes) === 0 ? 'equal' : 'different',
    });
    assertUploaded(ownership, ref.key, decision, this.#reservedBytes);
    if (decision.kind === 'write') {
      stored.blobs.set(ref.key, bytes.slice());
      stored.blobBytes += ref.bytes;
    }
    return ref;
  }

  async readBlob(job: string, ref: BlobRef): Promise<Uint8Array> {
    return checkedBlob(job, ref, this.#job(job).blobs.get(ref.key)?.slice() ?? null);
  }

  async publish(ownership: Ownership, manifest: Manifest, retain: number): Promise<'published' | 'already'> {
    const stored = this.#job(ownership.job);
    const { id, kind } = manifest;
    const blobsStored = blobsOf(manifest).every((ref) => stored.blobs.has(ref.key));
    const decision = decidePublish(stored.control, ownership, { id, kind, retain, blobsStored });
    const outcome = publishOutcome(ownership, id, decision);
    if (decision.kind !== 'publish') return outcome;
    const retained = [...stored.control.retained, { id, kind, token: ownership.token }];
    stored.control = { ...stored.control, published: id, retained };
    stored.manifests.set(id, encodeManifest(manifest));
    for (const retired of decision.retire) forget(stored, retired);
    return outcome;
  }

  async confirmDurable(): Promise<void> {}

  async latest(job: string): Promise<Manifest | null> {
    return this.#manifests(job).at(-1) ?? null;
  }

  async manifest(job: string, id: CheckpointId): Promise<Manifest | null> {
    const bytes = this.#job(job).manifests.get(id);
    return bytes === undefined ? null : decodeManifest(job, id, bytes);
  }

  async list(job: string): Promise<readonly Manifest[]> {
    return this.#manifests(job);
  }

  async blobs(job: string): Promise<readonly string[]> {
    return [...this.#job(job).blobs.keys()];
  }

  async collect(job: string): Promise<number> {
    const stored = this.#job(job);
    const named = new Set(
      this.#manifests(job)
        .flatMap(blobsOf)
        .map((ref) => ref.key),
    );
    const garbage = decideCollect(stored.control, [...stored.blobs.keys()].map(parseBlobKey), named);
    const before = stored.blobBytes;
    for (const key of garbage) {
      stored.blobBytes -= stored.blobs.get(key)?.length ?? 0;
      stored.blobs.delete(key);
    }
    return before - stored.blobBytes;
  }

  async remove(job: string, id: CheckpointId): Promise<void> {
    forget(this.#job(job), id);
  }

  async close(): Promise<void> {}

  #manifests(job: string): readonly Manifest[] {
    return [...this.#job(job).manifests].map(([id, bytes]) => decodeManifest(job, id, bytes));
  }

  #job(name: string): StoredJob {
    let stored = this.#jobs.get(name);
    if (stored === undefined) {
      stored = {
        control: NOTHING,
        takeovers: 0,
        nextId: 0,
        blobBytes: 0,
        blobs: new Map(),
        manifests: new Map(),
      };
      this.#jobs.set(name, stored);
    }
    return stored;
  }
}

function current(stored: StoredJob): Ownership['generation'] {
  return stored.control.generation as Ownership['generation'];
}

function forget(stored: StoredJob, id: CheckpointId): void {
  const retained = stored.control.retained.filter((kept) => kept.id !== id);
  stored.control = { ...stored.control, retained };
  stored.manifests.delete(id);
}
