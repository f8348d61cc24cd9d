import { randomUUID } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { JobGraph, JobOptions } from '../graph/job-graph.ts';
import type { Durability } from '../redis/durability.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import type { HostDeployment } from './host-protocol.ts';
import { openStores } from './open-stores.ts';

/** What a host needs to know to open its own connections: plain data, so that it can go to another thread. */
export interface HostSettings {
  /** `redis://…`, `rediss://…`, `redis+sentinel://…`, `redis+cluster://…`, or the path of a unix socket. */
  readonly redisUrl: string;
  readonly namespace: string;
  readonly durability: Durability;
  readonly replicas?: number;
  /** Blob bytes of one job at most; default LIMITS.checkpointReservedBytes. */
  readonly reservedBytes?: number;
  /** Where blobs of checkpoints go that are too large for Redis: a folder that all share, or `s3://…` (BlobPlace). Default: Redis. */
  readonly blobs?: string;
  /** How long a call of Redis waits for a server that does not answer. */
  readonly unavailableMs?: number;
  /** JavaScript heap of one host's thread at most, in MB; default what Node gives a thread. Buffers do not count. */
  readonly heapMbMax?: number;
  /** Environment variables for the job's module. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What a job's module is given when it makes the job. */
export interface JobModuleContext {
  /** Name that the job runs under; a fork has another than the one that the module gives. `''` where that is not known yet. */
  readonly job: string;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** A job as its module's default export gives it. */
export interface LoadedJob {
  readonly name: string;
  readonly graph: (changes?: Partial<JobOptions>) => JobGraph;
}

/** Default export of a job's module: the job, or what makes it. */
export type JobModule = LoadedJob | ((context: JobModuleContext) => LoadedJob | Promise<LoadedJob>);

/** One host's own log, checkpoint store and clock. */
export interface HostEnvironment {
  readonly environment: AttemptEnvironment;
  readonly store: CheckpointStore;
  readonly close: () => Promise<void>;
}

/** Opens what a host in a thread of its own runs on. */
export async function openHostEnvironment(
  settings: HostSettings,
  deployment: HostDeployment,
): Promise<HostEnvironment> {
  const { redisUrl, namespace } = settings;
  const { log, store } = await openStores(settings);
  const ending = new AbortController();
  return {
    store,
    environment: {
      job: deployment.job,
      namespace,
      generation: deployment.generation,
      redisUrl,
      log,
      clock: systemClock,
      random: systemRandom,
      uuid: () => randomUUID(),
      signal: ending.signal,
      killPoint: () => {},
    },
    async close() {
      ending.abort();
      await Promise.allSettled([log.close(), store.close()]);
    },
  };
}
