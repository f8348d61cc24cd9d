import type { Schema } from '#wire';
import { type Cost, runInMemory } from '../run-in-memory.ts';
import { NexmarkEvent } from './event.ts';
import { QUERIES, type QueryName } from './queries.ts';
import { type PlannedQuery, TOPIC } from './query.ts';

/** What one run of a job costs and gives. */
export interface PlanOutcome extends Cost {
  readonly events: number;
  readonly rows: number;
  readonly checksum: number;
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

/** Runs a job to the end of its input, everything exactly-once. */
export async function runPlanned(
  { job, results }: PlannedQuery,
  schema: Schema<unknown>,
  frames: readonly Uint8Array[],
  events: number,
): Promise<PlanOutcome> {
  const cost = await runInMemory(job, { topic: TOPIC, schema, frames, events });
  return { events, ...cost, ...results.summary() };
}
