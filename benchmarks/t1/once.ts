import { warmUp } from '../warm-up.ts';
import { type EntryForm, fill, runDrain } from './drain.ts';
import { runEngineOnly } from './engine.ts';
import { runFloor } from './floor.ts';
import type { Outcome } from './outcome.ts';
import { t1File } from './workload.ts';

/**
 * One variant in one process: `node --expose-gc once.ts <variant> <events> <devices> <folder> <warm-up ms> [redis]`; prints its outcome
 * as JSON. The first million events are run before, uncounted, for so much CPU time.
 */
const [variant, eventsText, devicesText, folder, warmUpText, redisUrl = ''] = process.argv.slice(2);
const events = Number(eventsText);
const warmUpMs = Number(warmUpText);
const warmUpEvents = Math.floor(Math.min(events / 2, 1_000_000) / 1_000) * 1_000;
const frames = () => t1File({ events, devices: Number(devicesText), seed: 42 }, folder as string).frames();
const warmUpFrames = (all: readonly Uint8Array[]) => all.slice(0, warmUpEvents / 1_000);

const inMemory =
  (run: (some: readonly Uint8Array[], count: number) => Promise<Outcome> | Outcome) => async () => {
    const all = frames();
    await warmUp(warmUpMs, () => run(warmUpFrames(all), warmUpEvents));
    return run(all, events);
  };

const filling = (form: EntryForm) => async () => {
  const all = frames();
  await fill(form, warmUpFrames(all), warmUpEvents, redisUrl);
  await fill(form, all, events, redisUrl);
  return null;
};

const draining = (form: EntryForm) => async () => {
  await warmUp(warmUpMs, () => runDrain(form, warmUpEvents, redisUrl));
  return runDrain(form, events, redisUrl);
};

const run: Record<string, () => Promise<Outcome | null>> = {
  floor: inMemory((some) => runFloor(some)),
  engine: inMemory((some, count) => runEngineOnly('built-in', some, count)),
  functions: inMemory((some, count) => runEngineOnly('plain-functions', some, count)),
  process: inMemory((some, count) => runEngineOnly('process', some, count)),
  interpreted: inMemory((some, count) => runEngineOnly('interpreted', some, count)),
  'fill-frames': filling('frames'),
  'fill-json': filling('json'),
  drain: draining('frames'),
  json: draining('json'),
};
const chosen = run[variant ?? ''];
if (chosen === undefined)
  throw new Error(`unknown variant '${variant}'; one of ${Object.keys(run).join(', ')}`);
process.stdout.write(`${JSON.stringify(await chosen())}\n`);
