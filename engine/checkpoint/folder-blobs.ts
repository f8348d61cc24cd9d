import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { errorText, MillraceError } from '../base/errors.ts';
import { type BlobStorage, keySegments } from './blob-storage.ts';

/**
 * Blobs as files below a folder, which every process that runs the job must see (one machine, or a shared file system).
 * A crash leaves a file whole under its name, or not at all.
 */
export function folderBlobs(path: string): BlobStorage {
  return new FolderBlobs(resolve(path));
}

/** Names of files that are still being written. */
const PARTIAL = /\.\d+\.partial$/;

class FolderBlobs implements BlobStorage {
  readonly #root: string;
  #written = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    const partial = `${path}.${this.#written++}.partial`;
    await this.#doing('be written', async () => {
      // A collection may take the folder away, empty as it is, before the file is in it.
      await makeFolder(dirname(path));
      const file = await open(partial, 'w').catch(async () => {
        await makeFolder(dirname(path));
        return open(partial, 'w');
      });
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
      await syncFolder(dirname(path));
    });
  }

  async get(key: string): Promise<Uint8Array | null> {
    const path = this.#path(key);
    return this.#doing('be read', () => readFile(path).catch(nullWhenAbsent));
  }

  async list(prefix: string): Promise<readonly string[]> {
    const folder = prefix === '' ? this.#root : this.#path(prefix.replace(/\/$/, ''));
    return this.#doing('be listed', async () => {
      const entries =
        (await readdir(folder, { recursive: true, withFileTypes: true }).catch(nullWhenAbsent)) ?? [];
      return entries
        .filter((entry) => entry.isFile() && !PARTIAL.test(entry.name))
        .map((entry) => relative(this.#root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    await this.#doing('be changed', async () => {
      for (const key of keys) {
        const path = this.#path(key);
        await rm(path, { force: true });
        folders.add(dirname(path));
      }
      for (const folder of folders) await this.#removeEmpty(folder);
    });
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    return join(this.#root, ...keySegments(key));
  }

  /** The folder and those above it, as far as they are empty. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at.length > this.#root.length; at = dirname(at)) {
      const removed = await rmdir(at).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  async #doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw new MillraceError(
        'MR_CHECKPOINT_FAILED',
        `The folder of blobs '${this.#root}' cannot ${what}: ${errorText(cause)}. Check its space and permissions.`,
        { cause },
      );
    }
  }
}

function nullWhenAbsent(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw error;
}

/** Makes a folder and its parents, and their entries durable. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** Makes the entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
