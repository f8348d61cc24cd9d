import type { CheckpointId } from '../base/brand.ts';
import { invariant } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { validName } from '../redis/keys.ts';
import { blobRef, checkedBlob } from './blob-ref.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { BlobRef, CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { Manifest } from './manifest.ts';

export interface BlobStorageOptions {
  /** First part of every key in the storage. */
  readonly namespace: string;
  /** Blobs up to this stay in the store. Default 64 KiB. */
  readonly inlineBytesMax?: number;
  /** Bytes of one object at most. Default LIMITS.objectBytesMax. */
  readonly objectBytesMax?: number;
}

/**
 * A checkpoint store whose large blobs lie in a {@link BlobStorage}, under `<namespace>/<job>/<generation>/<checkpoint>/<name>`.
 * Manifests, control and fencing stay where they are, and beside them a pointer of 12 bytes per large blob, under the blob's own key.
 * The blob's name says where it lies: `@<bytes>.<name>` in the storage. Closing it closes both.
 *
 * Writing the pointer and storing the object are two steps, and the storage knows no fences. Why that is enough:
 *
 * OS1 The pointer is written first, and only by the owner (CP1). So whoever has lost the job stores no new object,
 *     unless it was already between the two steps.
 * OS2 An object's key contains the generation, and its pointer refuses other bytes under the same name: nobody, however
 *     late, changes an object that a manifest names.
 * OS3 A manifest names only what {@link CheckpointStore.writeBlob} has returned, so after both steps; its publication asks for
 *     the pointer (CP3), which goes before the object does.
 * OS4 An object without a pointer is garbage for good: its pointer came first, so collection has taken it (CP5). What was
 *     stored too late, or left by a collection that died, goes with the first collection of a store and every 64th after.
 */
export function withBlobStorage(
  store: CheckpointStore,
  storage: BlobStorage,
  options: BlobStorageOptions,
): CheckpointStore {
  return new StoredBlobs(store, storage, options);
}

const INLINE_BYTES = 64 * 1024;
const COLLECTIONS_PER_SCAN = 64;
/** Name of a blob in the storage: its bytes, and its own name. */
const STORED = /^\d+:\d+:@(\d+)\./;

class StoredBlobs implements CheckpointStore {
  readonly blobBytesMax: number;
  readonly #store: CheckpointStore;
  readonly #storage: BlobStorage;
  readonly #namespace: string;
  readonly #inlineBytesMax: number;
  /** Collections so far, by job. */
  readonly #collections = new Map<string, number>();

  constructor(store: CheckpointStore, storage: BlobStorage, options: BlobStorageOptions) {
    this.#store = store;
    this.#storage = storage;
    this.#namespace = validName(options.namespace, 'namespace');
    this.#inlineBytesMax = Math.min(
      options.inlineBytesMax ?? INLINE_BYTES,
      store.blobBytesMax ?? LIMITS.blobBytesMax,
    );
    this.blobBytesMax = options.objectBytesMax ?? LIMITS.objectBytesMax;
  }

  async writeBlob(
    ownership: Ownership,
    checkpoint: CheckpointId,
    name: string,
    bytes: Uint8Array,
  ): Promise<BlobRef> {
    invariant(!name.startsWith('@'), `blob '${name}' has a name of its own`);
    if (bytes.length <= this.#inlineBytesMax)
      return this.#store.writeBlob(ownership, checkpoint, name, bytes);
    const stored = `@${bytes.length}.${name}`;
    const ref = blobRef(ownership.generation, checkpoint, stored, bytes, this.blobBytesMax);
    const key = this.#key(ownership.job, ref.key);
    await this.#store.writeBlob(ownership, checkpoint, stored, pointerTo(ref));
    await this.#storage.put(key, bytes);
    return ref;
  }

  async readBlob(job: string, ref: BlobRef): Promise<Uint8Array> {
    if (!STORED.test(ref.key)) return this.#store.readBlob(job, ref);
    return checkedBlob(job, ref, await this.#storage.get(this.#key(job, ref.key)));
  }

  async collect(job: string): Promise<number> {
    const count = this.#collections.get(job) ?? 0;
    this.#collections.set(job, count + 1);
    // What is listed before the pointers are read had its pointer by then, or never will again (OS4).
    const listed = count % COLLECTIONS_PER_SCAN === 0 ? await this.#list(job) : [];
    const before = (await this.#store.blobs(job)).filter((key) => STORED.test(key));
    let freed = await this.#store.collect(job);
    const alive = new Set(await this.#store.blobs(job));
    const dead = new Set([...listed, ...before].filter((key) => !alive.has(key)));
    await this.#storage.delete([...dead].map((key) => this.#key(job, key)));
    for (const key of dead) freed += Number(STORED.exec(key)?.[1]);
    return freed;
  }

  async close(): Promise<void> {
    await Promise.all([this.#store.close(), this.#storage.close()]);
  }

  takeOver(job: string, owner: string): Promise<Ownership> {
    return this.#store.takeOver(job, owner);
  }

  nextGeneration(ownership: Ownership): Promise<Ownership> {
    return this.#store.nextGeneration(ownership);
  }

  nextCheckpointId(ownership: Ownership): Promise<CheckpointId> {
    return this.#store.nextCheckpointId(ownership);
  }

  publish(ownership: Ownership, manifest: Manifest, retain: number): Promise<'published' | 'already'> {
    return this.#store.publish(ownership, manifest, retain);
  }

  confirmDurable(): Promise<void> {
    return this.#store.confirmDurable();
  }

  historyChanges(): number {
    return this.#store.historyChanges?.() ?? 0;
  }

  latest(job: string): Promise<Manifest | null> {
    return this.#store.latest(job);
  }

  manifest(job: string, id: CheckpointId): Promise<Manifest | null> {
    return this.#store.manifest(job, id);
  }

  list(job: string): Promise<readonly Manifest[]> {
    return this.#store.list(job);
  }

  blobs(job: string): Promise<readonly string[]> {
    return this.#store.blobs(job);
  }

  remove(job: string, id: CheckpointId): Promise<void> {
    return this.#store.remove(job, id);
  }

  /** Keys of the job's objects, as blobs name them. */
  async #list(job: string): Promise<readonly string[]> {
    const prefix = `${this.#namespace}/${validName(job, 'job name')}/`;
    const keys = await this.#storage.list(prefix);
    return keys
      .map((key) => key.slice(prefix.length).replace('/', ':').replace('/', ':'))
      .filter((key) => STORED.test(key));
  }

  #key(job: string, blob: string): string {
    return `${this.#namespace}/${validName(job, 'job name')}/${blob.replace(':', '/').replace(':', '/')}`;
  }
}

/** Bytes, CRC-32 and a mark, u32 LE each: two blobs of one name differ in it. */
function pointerTo(ref: BlobRef): Uint8Array {
  const pointer = Buffer.alloc(12);
  pointer.write('MRP\u0001', 'latin1');
  pointer.writeUInt32LE(ref.bytes, 4);
  pointer.writeUInt32LE(ref.crc, 8);
  return pointer;
}
