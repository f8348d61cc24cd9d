import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BundleStore, MillraceError } from '#engine';

/**
 * Bundles as files that can be imported, in a folder of one process.
 * Owns nothing in memory: threads of the process share the folder. Suspends at every call.
 *
 * BF1 A file has the hash that it is named by, and is there whole or not at all.
 */
export class BundleFiles {
  readonly #folder: string;

  /** @param folder made when need be, for its owner alone */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * URL of a bundle's file, which is fetched unless it is there.
   * @throws MR_BUNDLE_INVALID when there is no such bundle or its bytes are others, MR_REDIS_UNAVAILABLE
   */
  async url(store: BundleStore, hash: string): Promise<string> {
    const path = this.#path(hash);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) {
      if (sha256(await readFile(path)) === hash) return pathToFileURL(path).href;
      throw invalid(hash, `has other bytes in ${path}`);
    }
    const code = await store.get(hash);
    if (code === null) throw invalid(hash, 'is not in Redis');
    return this.keep(hash, code);
  }

  /** URL of the file with this code. @throws MR_BUNDLE_INVALID when the hash is not that of the code */
  async keep(hash: string, code: Uint8Array): Promise<string> {
    if (sha256(code) !== hash) throw invalid(hash, 'has other bytes');
    const path = this.#path(hash);
    const draft = join(this.#folder, `${randomUUID()}.draft`);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(draft, code, { mode: 0o600 });
    await rename(draft, path);
    return pathToFileURL(path).href;
  }

  #path(hash: string): string {
    return join(this.#folder, `${hash}.mjs`);
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function invalid(hash: string, why: string): MillraceError {
  return new MillraceError('MR_BUNDLE_INVALID', `Bundle ${hash} ${why}. Deploy the job again.`, {
    details: { bundle: hash },
  });
}
