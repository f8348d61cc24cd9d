import { checkpointKeys } from '../../../engine/redis/keys.ts';
import type { SimKernel } from '../kernel.ts';
import type { SimRedis } from '../redis.ts';
import type { SimServer } from '../server.ts';
import { NAMESPACE } from '../simulated-job.ts';

/**
 * Looks at the published checkpoints from outside.
 *
 * CW1 A checkpoint that a replica had is never another one later.
 */
export class CheckpointWatch {
  readonly problems: string[] = [];
  readonly #kernel: SimKernel;
  readonly #redis: SimRedis;
  readonly #manifests: string;
  readonly #confirmed = new Map<string, string>();
  #seen: { readonly server: SimServer; readonly writes: number; readonly found: Map<string, string> } | null =
    null;

  constructor(kernel: SimKernel, redis: SimRedis, job: string) {
    this.#kernel = kernel;
    this.#redis = redis;
    this.#manifests = checkpointKeys(NAMESPACE, job).manifests;
  }

  look(): void {
    const server = this.#redis.primary;
    const before = this.#seen;
    if (before !== null && before.server.replicatedMs(before.writes) <= this.#kernel.nowMs)
      for (const [id, manifest] of before.found) this.#confirmed.set(id, manifest);
    const flat = server.model.execute(['HGETALL', this.#manifests]) as readonly Buffer[];
    const found = new Map<string, string>();
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const [id, manifest] = [String(flat[i]), (flat[i + 1] as Buffer).toString('latin1')];
      const known = this.#confirmed.get(id);
      if (known !== undefined && known !== manifest)
        this.problems.push(`checkpoint ${id} has become another one after it was confirmed`);
      found.set(id, manifest);
    }
    this.#seen = { server, writes: server.writes, found };
  }
}
