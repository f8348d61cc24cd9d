import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Tells when one of some files changes. Owns a watcher per folder: editors replace files rather than write to them, and a file that is
 * missing may come.
 */
export class WatchedFiles {
  readonly #changed: (path: string) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #paths: ReadonlySet<string> = new Set();

  constructor(changed: (path: string) => void) {
    this.#changed = changed;
  }

  /** Watches these from now on, and no others. */
  set(paths: readonly string[]): void {
    this.#paths = new Set(paths);
    const folders = new Set(paths.map((path) => dirname(path)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  close(): void {
    this.set([]);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, (_, name) => {
        const path = [...this.#paths].find((one) => dirname(one) === folder && basename(one) === name);
        if (path !== undefined) this.#changed(path);
      });
      watcher.on('error', () => this.#watchers.delete(folder)); // the folder is gone: set() tries again
      this.#watchers.set(folder, watcher);
    } catch {
      // There is no such folder yet. Whoever makes it has to change the file that names it as well.
    }
  }
}
