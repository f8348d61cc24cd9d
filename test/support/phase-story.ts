import {
  type Coordinator,
  INTERVAL_MS,
  JOB,
  memoryStorage,
  PhaseWorld,
  rest,
  turnsUntil,
} from './phase-world.ts';

/** Every place between two effects of a coordinator while it takes a checkpoint, and whether that one is published there. */
const CHECKPOINT_PHASES: readonly (readonly [string, boolean])[] = [
  ['checkpoint:begin', false],
  ['checkpoint:triggered', false],
  ['checkpoint:acknowledged', false],
  ['checkpoint:before-publish', false],
  ['checkpoint:confirmed', false],
  ['checkpoint:published', true],
  ['checkpoint:after-publish', true],
  ['checkpoint:sink-committed', true],
  ['checkpoint:committed', true],
  ['checkpoint:completed', true],
  ['checkpoint:held', true],
  ['checkpoint:trimmed', true],
  ['checkpoint:collected', true],
];
/** The same while it begins, and in which starts it comes there. */
const RESTORE_PHASES: readonly (readonly [string, 'fresh' | 'restored' | 'both'])[] = [
  ['restore:owned', 'both'],
  ['restore:begin', 'both'],
  ['restore:held', 'both'],
  ['restore:before-commit', 'both'],
  ['restore:after-commit', 'both'],
  ['restore:opened', 'both'],
  ['restore:start-held', 'fresh'],
  ['restore:start-stored', 'fresh'],
  ['restore:start-published', 'fresh'],
  ['restore:end', 'both'],
];
/** Here a zombie goes on to let go of records and blobs that nothing needs any more, whoever does it. */
const LETS_GO = ['checkpoint:held', 'checkpoint:trimmed'];
/** How often a phase is passed in one checkpoint: per host, per sink. */
const PASSES: Readonly<Record<string, number>> = {
  'checkpoint:acknowledged': 2,
  'checkpoint:sink-committed': 2,
};

export interface Story {
  readonly place: string;
  /** Which passing of that place. */
  readonly nth: number;
  readonly start: 'fresh' | 'restored';
  /** Never goes on; or goes on when the next coordinator has begun to run, or has completed a checkpoint. */
  readonly fate: 'killed' | 'wakes early' | 'wakes late';
  /** Null: whichever. */
  readonly published: boolean | null;
}

const STARTS = ['fresh', 'restored'] as const;
/** A zombie that still reads may first find that the log has been trimmed behind it. */
const FENCES = ['MR_CHECKPOINT_FENCED', 'MR_SINK_FENCED', 'MR_LOG_FENCED', 'MR_LOG_TRIMMED'];
const CHECKPOINTS = 3;

/** A coordinator is lost at each place of taking its first, second or third checkpoint. */
export const checkpointStories = (fates: readonly Story['fate'][]) =>
  CHECKPOINT_PHASES.flatMap(([place, published]) =>
    STARTS.flatMap((start) =>
      fates.flatMap((fate) =>
        Array.from(
          { length: CHECKPOINTS * (PASSES[place] ?? 1) },
          (_, i): Story => ({ place, nth: i + 1, start, fate, published }),
        ),
      ),
    ),
  );
/** The same while it begins. */
export const restoreStories = (fates: readonly Story['fate'][]) =>
  RESTORE_PHASES.flatMap(([place, comesThere]) =>
    STARTS.filter((start) => comesThere === 'both' || comesThere === start).flatMap((start) =>
      fates.map((fate): Story => ({ place, nth: 1, start, fate, published: null })),
    ),
  );

/** Plays one story on storage of its own; what was not as it should be. */
export async function play({ place, nth, start, fate, published }: Story): Promise<string[]> {
  const wrong: string[] = [];
  const check = (is: unknown, should: unknown, what: string) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      wrong.push(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
  };
  const world = new PhaseWorld(memoryStorage());
  await world.feed();
  // Whoever goes on from it finds output that is published and not committed.
  if (start === 'restored') await hold(world, world.start({ place: 'checkpoint:published', nth: 1 }));
  const victim = world.start({ place, nth });
  const before = await hold(world, victim);
  const latest = await world.latest();
  if (published !== null) check(latest > before, published, 'published when it was lost');

  const next = world.start();
  await turnsUntil(() => next.handle.status().state === 'running', `the next one runs ${place}`);
  check(next.handle.status().checkpoints.restoredFrom ?? 0, latest, 'restored from');
  const covered = await world.expectedOfLatest();
  check(await world.visible(), [covered, covered], 'visible when the next one begins');
  if (fate === 'wakes late') await completeOne(world, next);
  if (fate !== 'killed') wrong.push(...(await wake(world, victim)));
  await completeOne(world, next);
  await rest();
  await next.handle.stop();
  check(next.handle.status().failures, [], 'failures of the next one');
  check(await world.visible(), [world.expected(), world.expected()], 'visible in the end');
  check(
    world.ids,
    [...new Set(world.ids)].sort((a, b) => a - b),
    'ids given out',
  );
  check(await world.garbage(), [], 'blobs that nothing names');
  return wrong;
}

/** Feeds and lets intervals pass until the coordinator is held up; the newest checkpoint when its last interval began. */
async function hold(world: PhaseWorld, victim: Coordinator): Promise<number> {
  let before = await world.latest();
  for (let round = 0; victim.heldAt() === null; round++) {
    if (round > 2 * CHECKPOINTS + 2) throw new Error('the place was never passed');
    await rest();
    if (victim.heldAt() !== null) break;
    before = await world.latest();
    await world.feed();
    await rest();
    victim.advance(INTERVAL_MS);
    await rest();
  }
  return before;
}

async function completeOne(world: PhaseWorld, { handle, advance }: Coordinator): Promise<void> {
  const { completed } = handle.status().checkpoints;
  await world.feed();
  await rest();
  advance(INTERVAL_MS);
  await turnsUntil(() => handle.status().checkpoints.completed > completed, `${JOB} completes a checkpoint`);
  await rest();
}

/** Lets a zombie go on, and try whatever it likes to. */
async function wake(world: PhaseWorld, { handle, advance, heldAt, release }: Coordinator): Promise<string[]> {
  const wrong: string[] = [];
  const what = LETS_GO.includes(heldAt() ?? '') ? 'decisions' : 'all';
  const before = world.storage.bytes(what);
  const ids = world.ids.length;
  release();
  for (let tries = 0; tries < 5; tries++) {
    await rest();
    if (!before.equals(world.storage.bytes(what))) wrong.push(`the zombie changed something (${tries})`);
    if (world.ids.length > ids) wrong.push('the zombie was given an id');
    if (handle.status().state === 'failed') break;
    advance(INTERVAL_MS);
  }
  const { state, failures } = handle.status();
  if (state !== 'failed' || !FENCES.includes(failures[0]?.code ?? ''))
    wrong.push(
      `the zombie is ${state}: ${JSON.stringify(failures.map(({ code, message }) => [code, message]))}`,
    );
  return wrong;
}
