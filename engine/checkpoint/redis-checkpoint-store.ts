import { randomUUID } from 'node:crypto';
import { type CheckpointId, checkpointId, type Generation, generation } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import { RedisConnection } from '../redis/connection.ts';
import { type ConfirmDurable, type DurabilityOptions, openDurability } from '../redis/durability.ts';
import { type CheckpointKeys, checkpointKeys, durabilityKey } from '../redis/keys.ts';
import type { OpenRedisLink, RedisLink } from '../redis/redis-link.ts';
import { blobRef, checkedBlob, parseBlobKey } from './blob-ref.ts';
import { CHECKPOINT_SCRIPTS } from './checkpoint-scripts.ts';
import type { BlobRef, CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { Manifest } from './manifest.ts';
import { blobsOf, decodeManifest, encodeManifest } from './manifest-codec.ts';
import { decideCollect, type FenceDecision, type PublishDecision, type UploadDecision } from './protocol.ts';
import { assertOwned, assertUploaded, publishOutcome } from './refusals.ts';

export interface RedisCheckpointOptions extends DurabilityOptions {
  /** One server, Sentinel or a cluster, as {@link parseRedisUrl} reads it. */
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
  /** Blob bytes of one job at most. Keep `maxmemory` this far below what the machine can give: these writes go beyond it. */
  readonly reservedBytes?: number;
  readonly random?: Random;
  readonly uuid?: () => string;
  /** How long a call waits for a server that does not answer. */
  readonly unavailableMs?: number;
  /** Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
}

/**
 * Checkpoints in Redis or Valkey, beside the log.
 * Owns one connection. Does not own the log, nor when checkpoints happen.
 * Suspends at every call. A call may reach the server twice (RC2): every script is idempotent, or wastes a number.
 *
 * RS1 All keys of a job lie in one slot, so each script sees and changes the job at one instant.
 * RS2 Writes of checkpoints go through while the server is over maxmemory, up to the reserved bytes.
 * RS3 `collect` reads control, blobs and manifests in this order, which makes its verdicts final (decideCollect) until another takes
 *     the job over or a publication is lost: then a deletion, which may come late, deletes nothing.
 * RS4 After `confirmDurable` no fail-over within the declared durability undoes a publication of this store.
 *
 * @throws MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED; what openDurability throws when the server is not set up as declared
 */
export async function openRedisCheckpointStore(options: RedisCheckpointOptions): Promise<CheckpointStore> {
  const { url, clock, random, unavailableMs, openLink = RedisConnection.open } = options;
  const connection = await openLink({
    url,
    clock,
    name: `millrace:${options.namespace}:checkpoints`,
    ...(random && { random }),
    ...(unavailableMs !== undefined && { unavailableMs }),
  });
  try {
    const durable = await openDurability(connection, durabilityKey(options.namespace), options);
    return new RedisCheckpointStore(connection, durable, options);
  } catch (error) {
    connection.close();
    throw error;
  }
}

class RedisCheckpointStore implements CheckpointStore {
  readonly #redis: RedisLink;
  readonly #namespace: string;
  readonly #reservedBytes: number;
  readonly #durable: ConfirmDurable;
  readonly #uuid: () => string;
  /** Highest id that this store has published, by job. */
  readonly #published = new Map<string, number>();

  constructor(redis: RedisLink, durable: ConfirmDurable, options: RedisCheckpointOptions) {
    this.#redis = redis;
    this.#durable = durable;
    this.#namespace = options.namespace;
    this.#reservedBytes = options.reservedBytes ?? LIMITS.checkpointReservedBytes;
    this.#uuid = options.uuid ?? randomUUID;
  }

  async takeOver(job: string, owner: string): Promise<Ownership> {
    const { control } = this.#keys(job);
    const reply = await this.#redis.script(CHECKPOINT_SCRIPTS.takeOver, [control], [this.#uuid(), owner]);
    const [token, next] = reply as [string, number];
    return { job, token, generation: generation(next) };
  }

  async nextGeneration(ownership: Ownership): Promise<Ownership> {
    const { control } = this.#keys(ownership.job);
    const reply = await this.#redis.script(CHECKPOINT_SCRIPTS.nextGeneration, [control], [ownership.token]);
    return { ...ownership, generation: generation(ownedNumber(ownership, reply)) };
  }

  async nextCheckpointId(ownership: Ownership): Promise<CheckpointId> {
    const { control } = this.#keys(ownership.job);
    const claim = [ownership.token, ownership.generation];
    const reply = await this.#redis.script(CHECKPOINT_SCRIPTS.nextCheckpointId, [control], claim);
    return checkpointId(ownedNumber(ownership, reply));
  }

  async writeBlob(ownership: Ownership, checkpoint: CheckpointId, name: string, bytes: Uint8Array) {
    const keys = this.#keys(ownership.job);
    const ref = blobRef(ownership.generation, checkpoint, name, bytes);
    const reply = await this.#redis.script(
      CHECKPOINT_SCRIPTS.writeBlob,
      [keys.control, keys.blobs, keys.blob(ref.key)],
      [ownership.token, ownership.generation, ref.key, this.#reservedBytes, viewOf(bytes)],
    );
    assertUploaded(ownership, ref.key, uploadDecision(reply), this.#reservedBytes);
    return ref;
  }

  async readBlob(job: string, ref: BlobRef): Promise<Uint8Array> {
    const bytes = (await this.#redis.callBuffer('GET', this.#keys(job).blob(ref.key))) as Buffer | null;
    return checkedBlob(job, ref, bytes === null ? null : new Uint8Array(bytes));
  }

  async publish(ownership: Ownership, manifest: Manifest, retain: number): Promise<'published' | 'already'> {
    const { job, token } = ownership;
    const blobs = blobsOf(manifest).map((ref) => ref.key);
    assertPublishable(ownership, manifest, blobs.length);
    const { control, kept, manifests, blobs: stored } = this.#keys(job);
    const reply = await this.#redis.script(
      CHECKPOINT_SCRIPTS.publish,
      [control, kept, manifests, stored],
      [
        token,
        ownership.generation,
        manifest.id,
        manifest.kind,
        retain,
        viewOf(encodeManifest(manifest)),
        ...blobs,
      ],
    );
    const outcome = publishOutcome(ownership, manifest.id, publishDecision(reply));
    this.#published.set(job, manifest.id);
    return outcome;
  }

  async confirmDurable(): Promise<void> {
    // Read first: what is published while this waits is not vouched for.
    const expected = [...this.#published];
    await this.#durable();
    for (const [job, id] of expected) {
      const published = Number(await this.#redis.call('HGET', this.#keys(job).control, 'published'));
      if (published >= id) continue;
      this.#published.delete(job);
      throw rolledBack(job, id, published);
    }
  }

  historyChanges(): number {
    return this.#durable.changes();
  }

  async latest(job: string): Promise<Manifest | null> {
    return (await this.list(job)).at(-1) ?? null;
  }

  async manifest(job: string, id: CheckpointId): Promise<Manifest | null> {
    const bytes = (await this.#redis.callBuffer('HGET', this.#keys(job).manifests, id)) as Buffer | null;
    return bytes === null ? null : decodeManifest(job, id, bytes);
  }

  async list(job: string): Promise<readonly Manifest[]> {
    const flat = (await this.#redis.callBuffer('HGETALL', this.#keys(job).manifests)) as readonly Buffer[];
    const manifests: Manifest[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      manifests.push(decodeManifest(job, Number(flat[i]), flat[i + 1] as Buffer));
    }
    return manifests.sort((a, b) => a.id - b.id);
  }

  async blobs(job: string): Promise<readonly string[]> {
    return (await this.#redis.call('HKEYS', this.#keys(job).blobs)) as readonly string[];
  }

  async collect(job: string): Promise<number> {
    const keys = this.#keys(job);
    const control = (await this.#redis.call('HMGET', keys.control, 'generation', 'published', 'token')) as (
      | string
      | null
    )[];
    const published = Number(control[1] ?? 0);
    const stored = await this.blobs(job);
    const named = new Set((await this.list(job)).flatMap(blobsOf).map((ref) => ref.key));
    const facts = { generation: Number(control[0] ?? 0), published };
    const garbage = decideCollect(facts, stored.map(parseBlobKey), named);
    let freed = 0;
    for (let i = 0; i < garbage.length; i += LIMITS.blobDeletesInFlightMax) {
      const some = garbage.slice(i, i + LIMITS.blobDeletesInFlightMax);
      const deleting = some.map((key) => this.#deleteBlob(keys, key, control[2] ?? '', published));
      for (const bytes of await Promise.all(deleting)) freed += bytes;
    }
    return freed;
  }

  async remove(job: string, id: CheckpointId): Promise<void> {
    const { kept, manifests } = this.#keys(job);
    await this.#redis.script(CHECKPOINT_SCRIPTS.remove, [kept, manifests], [id]);
  }

  async close(): Promise<void> {
    this.#redis.close();
  }

  #keys(job: string): CheckpointKeys {
    return checkpointKeys(this.#namespace, job);
  }

  async #deleteBlob(keys: CheckpointKeys, key: string, token: string, published: number): Promise<number> {
    const reply = await this.#redis.script(
      CHECKPOINT_SCRIPTS.deleteBlob,
      [keys.control, keys.blobs, keys.blob(key)],
      [key, token, published],
    );
    return Number(reply);
  }
}

function ownedNumber(ownership: Ownership, reply: unknown): number {
  const [kind, value] = reply as ['ok', number] | ['fenced', 'token' | 'generation'];
  const decision: FenceDecision =
    kind === 'ok' ? { kind: 'owned' } : { kind, by: value as 'token' | 'generation' };
  assertOwned(ownership, decision);
  return Number(value);
}

function uploadDecision(reply: unknown): UploadDecision {
  const [kind, value] = reply as [UploadDecision['kind'], unknown];
  if (kind === 'fenced') return { kind, by: value as 'token' | 'generation' };
  if (kind === 'no-space') return { kind, storedBytes: Number(value) };
  return { kind };
}

function publishDecision(reply: unknown): PublishDecision {
  const [kind, value] = reply as [PublishDecision['kind'], unknown];
  if (kind === 'fenced') return { kind, by: value as 'token' | 'generation' };
  if (kind === 'stale') return { kind, published: Number(value) };
  return kind === 'publish' ? { kind, retire: [] } : { kind };
}

function assertPublishable({ job, generation: attempt }: Ownership, manifest: Manifest, blobs: number): void {
  invariant(manifest.job === job, `the manifest of job '${manifest.job}' is published for '${job}'`);
  invariant(
    manifest.generation === (attempt as Generation),
    'a manifest carries the generation that publishes it',
  );
  invariant(blobs <= LIMITS.manifestBlobsMax, `a manifest names at most ${LIMITS.manifestBlobsMax} blobs`);
}

function rolledBack(job: string, id: number, published: number): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_NOT_DURABLE',
    `Checkpoint ${id} of job '${job}' was published, but the server knows ${published} as the last one: a fail-over or restart has lost writes. The job restarts from what is left; raise the durability to prevent this.`,
    { details: { job, checkpoint: id, published } },
  );
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
