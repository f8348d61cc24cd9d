import { randomUUID } from 'node:crypto';
import {
  type JobHandle,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import type { Schema } from '#wire';
import { cpuMs } from '../t1/outcome.ts';
import { NexmarkEvent } from './event.ts';
import { QUERIES, type QueryName } from './queries.ts';
import { type PlannedQuery, TOPIC } from './query.ts';

/** What one run of a job costs and gives. */
export interface PlanOutcome {
  readonly events: number;
  /** CPU time of the whole process, all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rows: number;
  readonly checksum: number;
  /** The process' highest so far. */
  readonly rssMb: number;
}

export interface NexmarkOutcome extends PlanOutcome {
  readonly query: QueryName;
  readonly engine: 'millrace';
}

export interface QueryRun {
  readonly outcome: NexmarkOutcome;
  readonly results: PlannedQuery['results'];
}

/** Runs a query to the end of its input. */
export async function runQuery(
  query: QueryName,
  frames: readonly Uint8Array[],
  events: number,
  keepsLines = false,
): Promise<QueryRun> {
  const planned = QUERIES[query]({ keepsLines });
  const outcome = await runPlanned(planned, NexmarkEvent, frames, events);
  return { outcome: { query, engine: 'millrace', ...outcome }, results: planned.results };
}

/**
 * Runs a job to the end of its input, which is in one topic: frames in memory, decoding and a checkpoint every second to memory
 * included, everything exactly-once.
 */
export async function runPlanned(
  { job, results }: PlannedQuery,
  schema: Schema<unknown>,
  frames: readonly Uint8Array[],
  events: number,
): Promise<PlanOutcome> {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await log.createTopic(TOPIC, { partitions: 1, schema, quotaBytes: 64 * 1024 ** 3 });
  for (const frame of frames) await log.append(TOPIC, 0, frame);
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
  const outcome = {
    events,
    cpuMs: cpuMs() - startedCpu,
    wallMs: performance.now() - startedWall,
    rows,
    checksum,
    rssMb: process.resourceUsage().maxRSS / 1024,
  };
  await log.close();
  return outcome;
}

/** @throws what has made the job fail */
function recordsRead(handle: JobHandle): number {
  const { failures, sources } = handle.status();
  if (failures[0] !== undefined) throw new Error(failures[0].message);
  return sources.reduce((sum, source) => sum + source.recordsRead, 0);
}
