import { keyGroupRange } from '../key/key-group.ts';
import type { BlobRange, Manifest } from './manifest.ts';

/** The key groups of a restored manifest, dealt out to subtasks of any parallelism. */
export class AdoptedParts {
  readonly #maxParallelism: number;
  readonly #operators = new Map<string, Map<number, BlobRange>>();

  constructor(manifest: Manifest) {
    this.#maxParallelism = manifest.maxParallelism;
    const twice = new Map<string, Set<number>>();
    for (const { operator, groups } of manifest.snapshots) {
      const known = this.#operators.get(operator) ?? new Map<number, BlobRange>();
      this.#operators.set(operator, known);
      for (const { group, pieces, compressed } of groups) {
        if (known.has(group)) twice.set(operator, (twice.get(operator) ?? new Set()).add(group));
        known.set(group, { pieces, compressed });
      }
    }
    // In several subtasks' snapshots: what is restored from them together is stored nowhere.
    for (const [operator, groups] of twice)
      for (const group of groups) this.#operators.get(operator)?.delete(group);
  }

  /** Key groups that lie in the range of one subtask. */
  of(operator: string, subtask: number, parallelism: number): ReadonlyMap<number, BlobRange> {
    const [first, last] = keyGroupRange(subtask, parallelism, this.#maxParallelism);
    const all = this.#operators.get(operator) ?? new Map<number, BlobRange>();
    return new Map([...all].filter(([group]) => group >= first && group <= last));
  }
}
