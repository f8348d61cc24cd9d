import { openRedisCheckpointStore, openRedisPartitionLog, systemClock } from '#engine';
import { runEngine } from './engine.ts';
import type { Outcome } from './outcome.ts';
import { Measure } from './workload.ts';

/** T1 from a Redis stream that holds all frames already; checkpoints every second, to the same Redis. */
export async function runDrain(frames: readonly Uint8Array[], events: number, url: string): Promise<Outcome> {
  const namespace = `t1-${events}`;
  const shared = { url, namespace, clock: systemClock, durability: 'process' } as const;
  const log = await openRedisPartitionLog(shared);
  const store = await openRedisCheckpointStore(shared);
  await log.createTopic('t1', { partitions: 1, schema: Measure, quotaBytes: 8 * 1024 ** 3 });
  for (const frame of frames) await log.append('t1', 0, frame);
  const outcome = await runEngine('drain from Redis, built-in', 'built-in', log, store, events);
  await Promise.all([log.close(), store.close()]);
  return outcome;
}
