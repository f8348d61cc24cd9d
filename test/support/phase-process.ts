/**
 * A coordinator in a process of its own that kills itself at a place. Argument: a {@link PhaseProcessSetup} as JSON. Tells what its
 * parent has to know as {@link PhaseReport} lines on stdout.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { redisStorage } from './phase-redis.ts';
import { work } from './phase-story.ts';
import { PhaseWorld } from './phase-world.ts';

export interface PhaseProcessSetup {
  readonly url: string;
  readonly namespace: string;
  readonly life: string;
  /** Records in the log when it begins. */
  readonly fed: number;
  readonly place: string;
  readonly nth: number;
}

export type PhaseReport =
  /** An interval begins; the newest checkpoint then. */
  | { readonly kind: 'round'; readonly latest: number }
  /** It was given a checkpoint id. */
  | { readonly kind: 'id'; readonly id: number }
  /** It is dead after this line. */
  | { readonly kind: 'killed'; readonly place: string };

// Otherwise written at an exit that never comes.
flushCompileCache();
const { url, namespace, life, fed, place, nth } = JSON.parse(process.argv[2] as string) as PhaseProcessSetup;
let left = nth;
const world = new PhaseWorld(await redisStorage(url, namespace), {
  life,
  fed,
  onId: (id) => report({ kind: 'id', id }),
  onPassing(passed) {
    if (passed !== place || --left !== 0) return;
    report({ kind: 'killed', place });
    process.kill(process.pid, 'SIGKILL');
  },
});
await work(world, world.start(), (latest) => report({ kind: 'round', latest }));

/** Written at once: a process that is about to be killed has no later. */
function report(line: PhaseReport): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
