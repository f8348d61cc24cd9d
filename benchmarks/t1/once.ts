import { fill, runDrain } from './drain.ts';
import { runEngineOnly } from './engine.ts';
import { runFloor } from './floor.ts';
import type { Outcome } from './outcome.ts';
import { framesOf } from './workload.ts';

/**
 * One variant in one process: `node once.ts <variant> <events> <devices> <folder> [redis]`; prints its outcome as JSON. The first
 * million events are run once before, uncounted, so that what is measured is compiled code.
 */
const [variant, eventsText, devicesText, folder, redisUrl = ''] = process.argv.slice(2);
const events = Number(eventsText);
const warmUpEvents = Math.min(events / 2, 1_000_000);
const frames = () => framesOf({ events, devices: Number(devicesText), seed: 42 }, folder as string).frames;
const warmUpFrames = (all: readonly Uint8Array[]) => all.slice(0, warmUpEvents / 1_000);

const inMemory =
  (run: (some: readonly Uint8Array[], count: number) => Promise<Outcome> | Outcome) => async () => {
    const all = frames();
    await run(warmUpFrames(all), warmUpEvents);
    return run(all, events);
  };

const run: Record<string, () => Promise<Outcome | null>> = {
  floor: inMemory((some) => runFloor(some)),
  engine: inMemory((some, count) => runEngineOnly('built-in', some, count)),
  functions: inMemory((some, count) => runEngineOnly('plain-functions', some, count)),
  interpreted: inMemory((some, count) => runEngineOnly('interpreted', some, count)),
  async fill() {
    const all = frames();
    await fill(warmUpFrames(all), warmUpEvents, redisUrl);
    await fill(all, events, redisUrl);
    return null;
  },
  async drain() {
    await runDrain(warmUpEvents, redisUrl);
    return runDrain(events, redisUrl);
  },
};
const chosen = run[variant ?? ''];
if (chosen === undefined)
  throw new Error(`unknown variant '${variant}'; one of ${Object.keys(run).join(', ')}`);
process.stdout.write(`${JSON.stringify(await chosen())}\n`);
