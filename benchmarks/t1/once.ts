import { runEngineOnly } from './engine.ts';
import { runFloor } from './floor.ts';
import type { Outcome } from './outcome.ts';
import { runDrain } from './drain.ts';
import { framesOf } from './workload.ts';

/**
 * One variant in one process: `node once.ts <variant> <events> <devices> <folder> [redis]`; prints its outcome as JSON. The first
 * million events are run once before, uncounted, so that what is measured is compiled code.
 */
const [variant, eventsText, devicesText, folder, redisUrl] = process.argv.slice(2);
const events = Number(eventsText);
const { frames } = framesOf({ events, devices: Number(devicesText), seed: 42 }, folder as string);

const warmUp = frames.slice(0, 1_000);
const warmUpEvents = Math.min(events, 1_000_000);

const run: Record<string, (some: readonly Uint8Array[], count: number) => Promise<Outcome> | Outcome> = {
  floor: (some) => runFloor(some),
  engine: (some, count) => runEngineOnly('built-in', some, count),
  functions: (some, count) => runEngineOnly('plain-functions', some, count),
  interpreted: (some, count) => runEngineOnly('interpreted', some, count),
  drain: (some, count) => runDrain(some, count, redisUrl as string),
};
const chosen = run[variant ?? ''];
if (chosen === undefined) throw new Error(`unknown variant '${variant}'; one of ${Object.keys(run).join(', ')}`);
await chosen(warmUp, warmUpEvents);
process.stdout.write(`${JSON.stringify(await chosen(frames, events))}\n`);
