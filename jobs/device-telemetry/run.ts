import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  type JobHandle,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import { openTimeSeriesReader, tableState, type TableState, type TimeSeriesReader } from '#sinks';
import { openDeviceRegistry } from './device-registry.ts';
import { deviceTelemetry } from './job.ts';

/** What the job needs from outside; the same for `npm start`, tests and crash tests. */
export interface RunEnvironment {
  /** `redis://…`, `rediss://…` or the path of a unix socket. */
  readonly redisUrl: string;
  /** Folder that outlives the process; the lake lies below it. */
  readonly dataDir: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The running job with the places that its results can be read from. */
export interface RunningJob {
  readonly handle: JobHandle;
  readonly series: TimeSeriesReader;
  readonly lake: () => Promise<TableState | null>;
  readonly close: () => Promise<void>;
}

/** Starts the job on a Redis and a folder. `MILLRACE_NAMESPACE` (default `default`) sets apart what shares one Redis. */
export async function start({ redisUrl, dataDir, variables }: RunEnvironment): Promise<RunningJob> {
  const namespace = variables['MILLRACE_NAMESPACE'] ?? 'default';
  const shared = { url: redisUrl, namespace, clock: systemClock } as const;
  const warehouse = join(dataDir, 'warehouse');
  const [log, store, registry, series] = await Promise.all([
    openRedisPartitionLog({ ...shared, durability: 'process' }),
    openRedisCheckpointStore({ ...shared, durability: 'process' }),
    openDeviceRegistry(shared),
    openTimeSeriesReader({ ...shared, names: ['device_10s'] }),
  ]);
  const handle = runJob(deviceTelemetry({ registry, warehouse }).graph(), {
    namespace,
    redisUrl,
    log,
    store,
    clock: systemClock,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: `${hostname()}:${process.pid}`,
  });
  return {
    handle,
    series,
    lake: () => tableState(warehouse, 'curated.readings'),
    async close() {
      await Promise.all([log.close(), store.close(), series.close()]);
      registry.close();
    },
  };
}
