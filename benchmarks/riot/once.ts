import { FRAME_RECORDS } from '../row-frames.ts';
import { costOf } from '../run-in-memory.ts';
import { type Dataflow, runDataflow } from './engine.ts';
import { recount } from './recount.ts';
import { ResultSum } from './result-sum.ts';
import { riotInput } from './workload.ts';

/**
 * One dataflow in one process: `node once.ts <etl|stats> <millrace|loop> <events> <seed> <folder> [sample]`; prints its outcome as JSON. Half
 * of the events, 50,000 at most, are run once before, uncounted, so that what is measured is compiled code.
 */
const [dataflow, engine, eventsText, seedText, folder, sample] = process.argv.slice(2);
const [events, seed] = [Number(eventsText), Number(seedText)];
if ((dataflow !== 'etl' && dataflow !== 'stats') || folder === undefined || !(events > 0))
  throw new Error('once.ts <etl|stats> <millrace|loop> <events> <seed> <folder> [sample]');
const { file, registry } = riotInput({ events, seed, sample: sample ?? null }, folder);
const all = file.frames();

const loop = async (flow: Dataflow, frames: readonly Uint8Array[]) => {
  const sum = new ResultSum();
  const cost = await costOf(() => recount(flow, frames, registry, sum));
  return { ...cost, rows: sum.rows, checksum: sum.checksum };
};
const run = (frames: readonly Uint8Array[], count: number) =>
  engine === 'millrace' ? runDataflow(dataflow, frames, count, registry) : loop(dataflow, frames);

const warmUp = all.slice(0, Math.floor(Math.min(events / 2, 50_000) / FRAME_RECORDS));
if (warmUp.length > 0) await run(warmUp, warmUp.length * FRAME_RECORDS);
process.stdout.write(`${JSON.stringify(await run(all, events))}\n`);
