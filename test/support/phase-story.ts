import {
  type Coordinator,
  INTERVAL_MS,
  JOB,
  memoryStorage,
  type PhaseStorage,
  PhaseWorld,
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
/** How often a phase is passed in one checkpoint or beginning: per host, per sink, per sink and dead letters. */
const PASSES: Readonly<Record<string, number>> = {
  'checkpoint:acknowledged': 2,
  'checkpoint:sink-committed': 2,
  'restore:before-commit': 3,
};
/** Between two partitions of one sink's commit: nobody can be held up here, but killed. */
export const MID_COMMIT = 'log:mid-commit';

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

/** Where stories are played, and what it means there to be lost. */
export interface PhaseStage {
  /** Storage of one story. */
  readonly open: () => Promise<PhaseStorage>;
  /** A coordinator begins, works and is lost at the nth passing of a place. */
  readonly lose: (world: PhaseWorld, place: string, nth: number) => Promise<Loss>;
  /** A short way to where the first coordinator is lost when its first checkpoint is published and not committed. */
  readonly restored?: (world: PhaseWorld) => Promise<void>;
}

export interface Loss {
  /** The newest checkpoint when its last interval began. */
  readonly before: number;
  /** Null: it is dead. */
  readonly zombie: Coordinator | null;
}

const STARTS = ['fresh', 'restored'] as const;
/** A zombie that still reads may first find that the log has been trimmed behind it. */
const FENCES = ['MR_CHECKPOINT_FENCED', 'MR_SINK_FENCED', 'MR_LOG_FENCED', 'MR_LOG_TRIMMED'];
export const CHECKPOINTS = 3;
/** Turns of its own time that a zombie is given, each so many real ms at most where I/O is real. */
const ZOMBIE_TRIES = 5;
const ZOMBIE_REST_MS = 60;

/** Coordinators stay in memory, and are held up instead of lost. */
const inMemory: PhaseStage = { open: async () => memoryStorage(), lose: holdUp };

/** A coordinator is lost at each place of taking its first, second or third checkpoint. */
export const checkpointStories = (fates: readonly Story['fate'][], checkpoints = CHECKPOINTS) =>
  CHECKPOINT_PHASES.flatMap(([place, published]) =>
    STARTS.flatMap((start) =>
      fates.flatMap((fate) =>
        Array.from(
          { length: checkpoints * (PASSES[place] ?? 1) },
          (_, i): Story => ({ place, nth: i + 1, start, fate, published }),
        ),
      ),
    ),
  );
/** The same while it begins. */
export const restoreStories = (fates: readonly Story['fate'][]) =>
  RESTORE_PHASES.flatMap(([place, comesThere]) =>
    STARTS.filter((start) => comesThere === 'both' || comesThere === start).flatMap((start) =>
      fates.flatMap((fate) =>
        Array.from(
          { length: PASSES[place] ?? 1 },
          (_, i): Story => ({ place, nth: i + 1, start, fate, published: null }),
        ),
      ),
    ),
  );

/** Plays one story on storage of its own; what was not as it should be. */
export async function play(story: Story, stage = inMemory): Promise<string[]> {
  const storage = await stage.open();
  const world = new PhaseWorld(storage);
  const wrong: string[] = [];
  try {
    await playOn(world, story, stage, wrong);
  } catch (error) {
    wrong.push(String(error));
  } finally {
    await world.end();
    await storage.close();
  }
  return wrong;
}

async function playOn(
  world: PhaseWorld,
  { place, nth, start, fate, published }: Story,
  stage: PhaseStage,
  wrong: string[],
): Promise<void> {
  const { storage } = world;
  const check = (is: unknown, should: unknown, what: string) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      wrong.push(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
  };
  await begin(world, start, stage);
  const { before, zombie } = await stage.lose(world, place, nth);
  const latest = await world.latest();
  if (published !== null) check(latest > before, published, 'published when it was lost');
  check(await world.missing(), [], 'what manifests name and is not there when it was lost');

  const next = world.start();
  await storage.until(() => next.handle.status().state === 'running', `the next one runs ${place}`);
  check(next.handle.status().checkpoints.restoredFrom ?? 0, latest, 'restored from');
  const covered = await world.expectedOfLatest();
  check(await world.visible(), [covered, covered], 'visible when the next one begins');
  if (fate === 'wakes late') await completeOne(world, next);
  if (fate !== 'killed' && zombie !== null) wrong.push(...(await wake(world, zombie)));
  await completeOne(world, next);
  await next.handle.stop();
  check(next.handle.status().failures, [], 'failures of the next one');
  check(await world.visible(), [world.expected(), world.expected()], 'visible in the end');
  check(
    world.ids,
    [...new Set(world.ids)].sort((a, b) => a - b),
    'ids given out',
  );
  check(await world.garbage(), [], 'blobs that nothing names');
  check(await world.missing(), [], 'what manifests name and is not there in the end');
  check(await storage.staged(), [], 'output that is still staged');
}

/** What a coordinator passes that nobody stops, in order: from its start on, then from the begin of each checkpoint on. */
export async function passings(
  start: Story['start'],
  stage: PhaseStage,
  checkpoints: number,
): Promise<readonly (readonly string[])[]> {
  const storage = await stage.open();
  const passed: string[] = [];
  const world = new PhaseWorld(storage, { onPassing: (place) => passed.push(place) });
  try {
    await begin(world, start, stage);
    const parts: string[][] = [];
    const coordinator = world.start();
    await storage.until(() => coordinator.handle.status().state === 'running', 'it runs');
    await storage.rest(coordinator.settled);
    parts.push(passed.splice(0));
    for (let i = 0; i < checkpoints; i++) {
      await completeOne(world, coordinator);
      parts.push(passed.splice(0));
    }
    return parts;
  } finally {
    await world.end();
    await storage.close();
  }
}

/** Lets time pass in intervals, with records in each, until the coordinator is held up or the process dies. */
export async function work(
  world: PhaseWorld,
  { handle, advance, heldAt, settled }: Coordinator,
  onRound: (latest: number) => void,
): Promise<void> {
  const { storage } = world;
  onRound(await world.latest());
  for (let round = 0; heldAt() === null; round++) {
    if (round > 2 * CHECKPOINTS + 2) throw new Error('the place was never passed');
    await storage.rest(settled);
    if (heldAt() !== null) return;
    onRound(await world.latest());
    await world.feed();
    await storage.rest(settled);
    const taken = takenBy(handle);
    advance(INTERVAL_MS);
    await storage.rest(() => heldAt() !== null || takenBy(handle) > taken);
  }
}

/** Whoever goes on after a start that is not fresh finds output that is published and not committed. */
async function begin(world: PhaseWorld, start: Story['start'], stage: PhaseStage): Promise<void> {
  if (start === 'fresh') return await world.feed();
  await (stage.restored?.(world) ?? loseFirst(world, stage));
}

export async function loseFirst(world: PhaseWorld, stage: PhaseStage): Promise<void> {
  await world.feed();
  await stage.lose(world, 'checkpoint:published', 1);
}

/** Loses a coordinator of this process, which may be woken up. */
export async function holdUp(world: PhaseWorld, place: string, nth: number): Promise<Loss> {
  const zombie = world.start({ place, nth });
  let before = 0;
  await work(world, zombie, (latest) => {
    before = latest;
  });
  return { before, zombie };
}

/** Or fails to, which shows in its failures. */
async function completeOne(world: PhaseWorld, { handle, advance, settled }: Coordinator): Promise<void> {
  const { completed } = handle.status().checkpoints;
  const { storage } = world;
  const failed = () => handle.status().failures.length > 0;
  await world.feed();
  await storage.rest(() => settled() || failed());
  advance(INTERVAL_MS);
  await storage.until(
    () => handle.status().checkpoints.completed > completed || failed(),
    `${JOB} completes a checkpoint`,
  );
  await storage.rest(() => settled() || failed());
}

function takenBy(handle: Coordinator['handle']): number {
  const { completed, failed } = handle.status().checkpoints;
  return completed + failed;
}

/** Lets a zombie go on, and try whatever it likes to. */
async function wake(world: PhaseWorld, { handle, advance, heldAt, release }: Coordinator): Promise<string[]> {
  const wrong: string[] = [];
  const { storage } = world;
  const what = LETS_GO.includes(heldAt() ?? '') ? 'decisions' : 'all';
  const before = await storage.bytes(what);
  const ids = world.ids.length;
  release();
  for (let tries = 0; tries < ZOMBIE_TRIES; tries++) {
    const untilMs = performance.now() + ZOMBIE_REST_MS;
    await storage.rest(() => handle.status().state === 'failed' || performance.now() > untilMs);
    if (!before.equals(await storage.bytes(what))) wrong.push(`the zombie changed something (${tries})`);
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
