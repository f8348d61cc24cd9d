import type { CheckpointStore, JobGraph, PartitionLog, RedisPartitionLogOptions, TaskHost } from '#engine';
import type { HostDeployment } from '../../../engine/host/host-protocol.ts';
import type { OpenRedisLink } from '../../../engine/redis/redis-link.ts';
import type { SimKernel } from '../kernel.ts';
import type { SimProcess } from '../process.ts';

/** What the processes of one run of the scenario share. */
export interface WorkersWorld {
  readonly kernel: SimKernel;
  /** Whether threads of one process speak through Redis, too. */
  readonly isAllThroughRedis: boolean;
  readonly slotsPerWorker: number;
  /** What a process opens its log and its checkpoint store with. */
  readonly sharedOptions: (
    process: SimProcess,
  ) => RedisPartitionLogOptions & { readonly openLink: OpenRedisLink };
  readonly graph: (parallelism: number, process: SimProcess) => JobGraph;
  /** A log or a store that was just opened, as it is to be used. */
  readonly openedLog: (log: PartitionLog) => PartitionLog;
  readonly openedStore: (store: CheckpointStore) => CheckpointStore;
  /** A host has opened in its thread. */
  readonly openedHost: (thread: SimProcess, deployment: HostDeployment, host: TaskHost) => void;
  readonly passKillPoint: (name: string, process: SimProcess) => void | Promise<void>;
}
