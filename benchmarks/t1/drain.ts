import { openRedisCheckpointStore, openRedisPartitionLog, type PartitionLog, systemClock } from '#engine';
import { runEngine } from './engine.ts';
import type { Outcome } from './outcome.ts';
import { Measure } from './workload.ts';

/** Every number of events has its own namespace, so that a warm-up and a run lie beside each other. */
const sharedOptions = (url: string, events: number) =>
  ({ url, namespace: `t1-${events}`, clock: systemClock, durability: 'process' }) as const;

/** Writes the frames to a topic; a process of its own does this, so that the reading one holds none of them. */
export async function fill(frames: readonly Uint8Array[], events: number, url: string): Promise<void> {
  const log = await openRedisPartitionLog(sharedOptions(url, events));
  await log.createTopic('t1', { partitions: 1, schema: Measure, quotaBytes: 8 * 1024 ** 3 });
  for (const frame of frames) await log.append('t1', 0, frame);
  await log.close();
}

/** T1 from a Redis stream that holds all frames already; checkpoints every second, to the same Redis. */
export async function runDrain(events: number, url: string): Promise<Outcome> {
  const log: PartitionLog = await openRedisPartitionLog(sharedOptions(url, events));
  const store = await openRedisCheckpointStore(sharedOptions(url, events));
  const outcome = await runEngine('drain from Redis, built-in', 'built-in', log, store, events);
  await Promise.all([log.close(), store.close()]);
  return outcome;
}
