import { randomUUID } from 'node:crypto';
import { openRedisCheckpointStore, openRedisPartitionLog, runJob, systemClock, systemRandom } from '#engine';
import copyJob from './copy-job.ts';

/** Runs the job in this thread until SIGTERM: what a program that embeds the engine does. */
export async function runHere(url: string, namespace: string): Promise<void> {
  const shared = { url, namespace, clock: systemClock, durability: 'process' } as const;
  const [log, store] = await Promise.all([openRedisPartitionLog(shared), openRedisCheckpointStore(shared)]);
  const handle = runJob(copyJob({ variables: process.env }).graph(), {
    namespace,
    redisUrl: url,
    log,
    store,
    clock: systemClock,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: `footprint:${process.pid}`,
  });
  process.once('SIGTERM', () => void handle.cancel());
  await handle.done;
  await Promise.all([log.close(), store.close()]);
}
