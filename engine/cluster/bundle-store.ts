import { createHash } from 'node:crypto';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { bundleKey } from '../redis/keys.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';

/**
 * The code of jobs by the SHA-256 of its bytes, in hex.
 * Owns nothing; suspends at every call. A call may reach the server twice (RC2), which changes nothing.
 *
 * BU1 A complete bundle never changes, and what `get` gives has the hash that was asked for.
 * BU2 A bundle that is never completed runs out.
 */
export class BundleStore {
  readonly #context: ClusterContext;

  constructor(context: ClusterContext) {
    this.#context = context;
  }

  /** Stores a bundle unless it is there, and gives its hash. @throws MR_BUNDLE_INVALID, MR_REDIS_UNAVAILABLE */
  async put(bytes: Uint8Array): Promise<string> {
    const hash = sha256(bytes);
    if (bytes.length === 0 || bytes.length > LIMITS.bundleBytesMax) {
      throw invalid(hash, `has ${bytes.length} bytes; 1 to ${LIMITS.bundleBytesMax} are possible`);
    }
    const key = bundleKey(this.#context.namespace, hash);
    const count = Math.ceil(bytes.length / LIMITS.bundleChunkBytes);
    for (let i = 0; i < count; i++) {
      const at = bytes.byteOffset + i * LIMITS.bundleChunkBytes;
      const length = Math.min(LIMITS.bundleChunkBytes, bytes.byteOffset + bytes.length - at);
      const args = [i, Buffer.from(bytes.buffer, at, length), LIMITS.bundleUnfinishedMs];
      if ((await this.#context.link.script(CLUSTER_SCRIPTS.putChunk, [key], args)) === 0) return hash;
    }
    const sealed = await this.#context.link.script(CLUSTER_SCRIPTS.sealBundle, [key], [count]);
    if (sealed !== 1) throw invalid(hash, 'lost chunks while it was stored');
    return hash;
  }

  /** The bytes of a bundle, or null when there is none (or it is not complete). @throws MR_BUNDLE_INVALID, MR_REDIS_UNAVAILABLE */
  async get(hash: string): Promise<Uint8Array | null> {
    const { link, namespace } = this.#context;
    const key = bundleKey(namespace, hash);
    const count = Number(await link.call('HGET', key, 'chunks'));
    if (count === 0) return null;
    if (!(count * LIMITS.bundleChunkBytes < LIMITS.bundleBytesMax + LIMITS.bundleChunkBytes)) {
      throw invalid(hash, `has ${count} chunks`);
    }
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const chunk = (await link.callBuffer('HGET', key, i)) as Buffer | null;
      chunks.push(new Uint8Array(chunk ?? []));
    }
    const bytes = Buffer.concat(chunks);
    if (sha256(bytes) !== hash) throw invalid(hash, 'is stored with other bytes');
    return bytes;
  }

  /** Whether a complete bundle is there. @throws MR_REDIS_UNAVAILABLE */
  async has(hash: string): Promise<boolean> {
    const { link, namespace } = this.#context;
    return (await link.call('HGET', bundleKey(namespace, hash), 'chunks')) !== null;
  }

  /** Forgets a bundle that no job names any more, which the caller knows. @throws MR_REDIS_UNAVAILABLE */
  async drop(hash: string): Promise<void> {
    await this.#context.link.call('UNLINK', bundleKey(this.#context.namespace, hash));
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function invalid(hash: string, why: string): MillraceError {
  return new MillraceError('MR_BUNDLE_INVALID', `Bundle ${hash} ${why}. Deploy the job again.`, {
    details: { bundle: hash },
  });
}
