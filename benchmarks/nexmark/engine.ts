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
import { NexmarkEvent } from './event.ts';
import { QUERIES, type QueryName } from './queries.ts';
import { type PlannedQuery, TOPIC } from './query.ts';

export interface NexmarkOutcome {
  readonly query: QueryName;
  readonly engine: 'millrace';
  readonly events: number;
  /** CPU time of the whole process, all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rows: number;
  readonly checksum: number;
  /** The process' highest so far. */
  readonly rssMb: number;
}

export interface QueryRun {
  readonly outcome: NexmarkOutcome;
  readonly results: PlannedQuery['results'];
}

/**
 * Runs a query to the end of its input: frames in memory, decoding and a checkpoint every second to memory included, everything
 * exactly-once.
 */
export async function runQuery(
  query: QueryName,
  frames: readonly Uint8Array[],
  events: number,
  keepsLines = false,
): Promise<QueryRun> {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await log.createTopic(TOPIC, { partitions: 1, schema: NexmarkEvent, quotaBytes: 64 * 1024 ** 3 });
  for (const frame of frames) await log.append(TOPIC, 0, frame);
  const { job, results } = QUERIES[query]({ keepsLines });
  const startedCpu = cpuMs();
  const startedWall = performance.now();
  const handle = runJob(job.graph(), {
    namespace: 'nexmark',
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
  const { rows, checksum } = results.summary();
  const outcome: NexmarkOutcome = {
    query,
    engine: 'millrace',
    events,
    cpuMs: cpuMs() - startedCpu,
    wallMs: performance.now() - startedWall,
    rows,
    checksum,
    rssMb: process.resourceUsage().maxRSS / 1024,
  };
  await log.close();
  return { outcome, results };
}

/** @throws what has made the job fail */
function recordsRead(handle: JobHandle): number {
  const { failures, sources } = handle.status();
  if (failures[0] !== undefined) throw new Error(failures[0].message);
  return sources.reduce((sum, source) => sum + source.recordsRead, 0);
}
