import { randomUUID } from 'node:crypto';
import {
  type JobHandle,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import type { JobDefinition } from '#operators';
import type { Schema } from '#wire';
import { cpuMs } from './t1/outcome.ts';

/** What some work took of this process. */
export interface Cost {
  /** CPU time of the whole process, all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** The process' highest so far. */
  readonly rssMb: number;
}

export async function costOf(work: () => Promise<void> | void): Promise<Cost> {
  const [startedCpu, startedWall] = [cpuMs(), performance.now()];
  await work();
  return {
    cpuMs: cpuMs() - startedCpu,
    wallMs: performance.now() - startedWall,
    rssMb: process.resourceUsage().maxRSS / 1024,
  };
}

/** A topic of one partition and the frames in it. */
export interface FilledTopic {
  readonly topic: string;
  readonly schema: Schema<unknown>;
  readonly frames: readonly Uint8Array[];
  /** In all frames. */
  readonly events: number;
}

/**
 * Runs a job to the end of its input, which is in one topic: frames in memory, decoding and checkpoints to memory included. Filling the
 * topic is not part of the cost. @throws what has made the job fail
 */
export async function runInMemory(
  job: JobDefinition,
  { topic, schema, frames, events }: FilledTopic,
): Promise<Cost> {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await log.createTopic(topic, { partitions: 1, schema, quotaBytes: 64 * 1024 ** 3 });
  for (const frame of frames) await log.append(topic, 0, frame);
  const cost = await costOf(async () => {
    const handle = runJob(job.graph(), {
      namespace: 'bench',
      log,
      store: openMemoryCheckpointStore(),
      clock: systemClock,
      random: systemRandom,
      uuid: () => randomUUID(),
      owner: 'bench',
    });
    try {
      while (recordsRead(handle) < events) await systemClock.sleep(5);
      // Ends event time, so that all windows and timers give what they have.
      await handle.stop({ drain: true });
      recordsRead(handle);
    } finally {
      await handle.cancel();
    }
  });
  await log.close();
  return cost;
}

function recordsRead(handle: JobHandle): number {
  const { failures, sources } = handle.status();
  if (failures[0] !== undefined) throw new Error(failures[0].message);
  return sources.reduce((sum, source) => sum + source.recordsRead, 0);
}
