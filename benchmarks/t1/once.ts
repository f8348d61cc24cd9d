import { runEngineOnly } from './engine.ts';
import { runFloor } from './floor.ts';
import type { Outcome } from './outcome.ts';
import { runDrain } from './drain.ts';
import { framesOf } from './workload.ts';

/** One variant in one process: `node once.ts <variant> <events> <devices> <folder> [redis]`; prints its outcome as JSON. */
const [variant, eventsText, devicesText, folder, redisUrl] = process.argv.slice(2);
const events = Number(eventsText);
const { frames } = framesOf({ events, devices: Number(devicesText), seed: 42 }, folder as string);

const run: Record<string, () => Promise<Outcome> | Outcome> = {
  floor: () => runFloor(frames),
  engine: () => runEngineOnly('built-in', frames, events),
  functions: () => runEngineOnly('plain-functions', frames, events),
  interpreted: () => runEngineOnly('interpreted', frames, events),
  drain: () => runDrain(frames, events, redisUrl as string),
};
const chosen = run[variant ?? ''];
if (chosen === undefined)
  throw new Error(`unknown variant '${variant}'; one of ${Object.keys(run).join(', ')}`);
process.stdout.write(`${JSON.stringify(await chosen())}\n`);
