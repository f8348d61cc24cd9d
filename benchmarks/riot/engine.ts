import { type Cost, runInMemory } from '../run-in-memory.ts';
import { etlJob } from './etl.ts';
import { ResultSum, summingSink } from './result-sum.ts';
import { SenmlRow, TOPIC } from './senml.ts';
import { statsJob } from './stats.ts';
import type { Registry } from './workload.ts';

export type Dataflow = 'etl' | 'stats';

export interface RiotOutcome extends Cost {
  readonly rows: number;
  readonly checksum: string;
}

/** Runs a dataflow over frames in memory to their end, exactly-once, with a checkpoint every second to memory. */
export async function runDataflow(
  dataflow: Dataflow,
  frames: readonly Uint8Array[],
  events: number,
  registry: Registry,
): Promise<RiotOutcome> {
  const sum = new ResultSum();
  const job = dataflow === 'etl' ? etlJob(registry, summingSink(sum)) : statsJob(registry, summingSink(sum));
  const cost = await runInMemory(job, { topic: TOPIC, schema: SenmlRow, frames, events });
  return { ...cost, rows: sum.rows, checksum: sum.checksum };
}
