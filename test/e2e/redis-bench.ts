import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import {
  type JobEnvironment,
  type JobGraph,
  type JobHandle,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  type PartitionLog,
  runJob,
  systemClock,
} from '#engine';
import { createJobBench, type JobBench } from '../support/job-bench.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from '../support/redis-server.ts';

/** What the forwarder uses unless told otherwise, so that both sides meet. */
export const NAMESPACE = 'default';

/** A job bench on a real server, and a folder for everything else. All of it ends with the test. */
export interface RedisBench extends Pick<JobBench, 'feed' | 'read'> {
  readonly redis: RedisServer;
  readonly folder: string;
  readonly log: PartitionLog;
  readonly run: (graph: JobGraph) => JobHandle;
  /** Another process's view: the same server and jobs over connections of its own. */
  readonly coordinator: (owner: string) => Promise<(graph: JobGraph) => JobHandle>;
}

export async function startRedisBench(
  t: Pick<Test, 'teardown'>,
  options: RedisServerOptions = {},
): Promise<RedisBench> {
  const folder = await mkdtemp(join(tmpdir(), 'mr-e2e-'));
  const redis = await startRedis(options);
  const opened: { readonly close: () => Promise<void> }[] = [];
  const handles: JobHandle[] = [];
  t.teardown(async () => {
    await Promise.all(handles.map((handle) => handle.cancel()));
    await Promise.all(opened.map((one) => one.close()));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const open = async (): Promise<Pick<JobEnvironment, 'log' | 'store'>> => {
    const shared = {
      url: redis.url,
      namespace: NAMESPACE,
      clock: systemClock,
      durability: 'process',
    } as const;
    const [log, store] = await Promise.all([openRedisPartitionLog(shared), openRedisCheckpointStore(shared)]);
    opened.push(log, store);
    return { log, store };
  };
  const main = await open();
  const bench = createJobBench({ log: main.log });
  const runner = (owner: string, parts: Pick<JobEnvironment, 'log' | 'store'>) => (graph: JobGraph) => {
    const place = { namespace: NAMESPACE, redisUrl: redis.url, owner };
    const handle = runJob(graph, { ...bench.environment, ...place, ...parts });
    handles.push(handle);
    return handle;
  };
  return {
    redis,
    folder,
    log: main.log,
    feed: bench.feed,
    read: bench.read,
    run: runner('first', main),
    coordinator: async (owner) => runner(owner, await open()),
  };
}
