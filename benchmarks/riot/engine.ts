import { randomUUID } from 'node:crypto';
import {
  type JobHandle,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import { cpuMs } from '../t1/outcome.ts';
import { etlJob } from './etl.ts';
import { ResultSum, summingSink } from './result-sum.ts';
import { SenmlRow, TOPIC } from './senml.ts';
import { statsJob } from './stats.ts';
import type { Registry } from './workload.ts';

export type Dataflow = 'etl' | 'stats';

export interface RiotOutcome {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rows: number;
  readonly checksum: string;
  /** The process' highest so far. */
  readonly rssMb: number;
}

/** Runs a dataflow over frames in memory to their end, exactly-once, with a checkpoint every second to memory. */
export async function runDataflow(
  dataflow: Dataflow,
  frames: readonly Uint8Array[],
  events: number,
  registry: Registry,
): Promise<RiotOutcome> {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await log.createTopic(TOPIC, { partitions: 1, schema: SenmlRow, quotaBytes: 64 * 1024 ** 3 });
  for (const frame of frames) await log.append(TOPIC, 0, frame);
  const sum = new ResultSum();
  const job = dataflow === 'etl' ? etlJob(registry, summingSink(sum)) : statsJob(registry, summingSink(sum));
  const outcome = await measured(sum, async () => {
    const handle = runJob(job.graph(), {
      namespace: 'riot',
      log,
      store: openMemoryCheckpointStore(),
      clock: systemClock,
      random: systemRandom,
      uuid: () => randomUUID(),
      owner: 'bench',
    });
    try {
      while (recordsRead(handle) < events) await systemClock.sleep(5);
      await handle.stop({ drain: true });
      recordsRead(handle);
    } finally {
      await handle.cancel();
    }
  });
  await log.close();
  return outcome;
}

/** What some work took, and the sum of what it published. */
export async function measured(sum: ResultSum, work: () => Promise<void>): Promise<RiotOutcome> {
  const [startedCpu, startedWall] = [cpuMs(), performance.now()];
  await work();
  return {
    cpuMs: cpuMs() - startedCpu,
    wallMs: performance.now() - startedWall,
    rows: sum.rows,
    checksum: sum.checksum,
    rssMb: process.resourceUsage().maxRSS / 1024,
  };
}

/** @throws what has made the job fail */
function recordsRead(handle: JobHandle): number {
  const { failures, sources } = handle.status();
  if (failures[0] !== undefined) throw new Error(failures[0].message);
  return sources.reduce((read, source) => read + source.recordsRead, 0);
}
