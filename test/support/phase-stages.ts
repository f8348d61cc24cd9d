import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { PhaseProcessSetup, PhaseReport } from './phase-process.ts';
import { copyNamespace, redisStorage } from './phase-redis.ts';
import {
  checkpointStories,
  holdUp,
  loseFirst,
  MID_COMMIT,
  passings,
  type PhaseStage,
  play,
  restoreStories,
  type Story,
} from './phase-story.ts';
import { type PhaseStorage, PhaseWorld } from './phase-world.ts';
import { startRedis } from './redis-server.ts';

const PROGRAM = fileURLToPath(new URL('./phase-process.ts', import.meta.url));
/** Most of a story is the start of a process, which keeps one processor busy. */
const STORIES_AT_ONCE = 3;

/** Stages on one real server for a test. */
export interface RedisStages {
  /** Coordinators are processes that end by SIGKILL. */
  readonly killing: PhaseStage;
  /** Coordinators are held up and may wake. */
  readonly holding: PhaseStage;
}

export interface KillStories {
  /** What is passed in them when nobody kills, in order. */
  readonly passed: Readonly<Record<Story['start'], readonly string[]>>;
  readonly takes: readonly Story[];
  readonly begins: readonly Story[];
  readonly commits: readonly Story[];
}

export async function redisStages(test: Test): Promise<RedisStages> {
  const server = await startRedis({ appendonly: 'everysec' });
  // Where Node keeps compiled code, so that a short life is not spent on compiling.
  const compiled = await mkdtemp(join(tmpdir(), 'mr-phases-'));
  test.teardown(() => Promise.all([server.stop(), rm(compiled, { recursive: true, force: true })]));
  let stories = 0;
  const namespaces = new WeakMap<PhaseStorage, string>();
  const open = async () => {
    const namespace = `phases-${stories++}`;
    const storage = await redisStorage(server.url, namespace);
    namespaces.set(storage, namespace);
    return storage;
  };
  const namespaceOf = ({ storage }: PhaseWorld) => namespaces.get(storage) as string;
  return { killing: killingStage(server.url, compiled, open, namespaceOf), holding: { open, lose: holdUp } };
}

function killingStage(
  url: string,
  compiled: string,
  open: PhaseStage['open'],
  namespaceOf: (world: PhaseWorld) => string,
): PhaseStage {
  let lives = 0;
  /** Killed once, for all stories that go on from there. */
  let first: Promise<PhaseWorld> | null = null;
  const killFirst = async () => {
    const world = new PhaseWorld(await open());
    await loseFirst(world, stage);
    await world.storage.close();
    return world;
  };
  const stage: PhaseStage = {
    open,
    async lose(world, place, nth) {
      const life = `child-${lives++}`;
      const setup = { url, namespace: namespaceOf(world), life, fed: world.fed, place, nth };
      const told = await killedAt(setup, compiled);
      await world.learn(told.flatMap((report) => (report.kind === 'id' ? [report.id] : [])));
      const rounds = told.flatMap((report) => (report.kind === 'round' ? [report.latest] : []));
      return { before: rounds.at(-1) ?? 0, zombie: null };
    },
    async restored(world) {
      const lost = await (first ??= killFirst());
      await copyNamespace(url, namespaceOf(lost), namespaceOf(world));
      await world.learn(lost.ids);
    },
  };
  return stage;
}

/** Every story of a coordinator that is killed while it begins and takes so many checkpoints. */
export async function killStories(stage: PhaseStage, checkpoints: number): Promise<KillStories> {
  const passed = {
    fresh: (await passings('fresh', stage, checkpoints)).flat(),
    restored: (await passings('restored', stage, checkpoints)).flat(),
  };
  return {
    passed,
    takes: checkpointStories(['killed'], checkpoints),
    begins: restoreStories(['killed']),
    commits: [...midCommits('fresh', passed.fresh), ...midCommits('restored', passed.restored)],
  };
}

/** What a restored coordinator commits while it begins was published before. */
function midCommits(start: Story['start'], passed: readonly string[]): Story[] {
  return passed
    .filter((place) => place === MID_COMMIT)
    .map((place, i) => ({
      place,
      nth: i + 1,
      start,
      fate: 'killed',
      published: start === 'fresh' ? true : null,
    }));
}

/** Plays stories, some at once, and fails the test with what was not as it should be. */
export async function playAll(test: Test, stories: readonly Story[], stage: PhaseStage): Promise<void> {
  const left = [...stories];
  const player = async () => {
    for (let story = left.shift(); story !== undefined; story = left.shift()) {
      const told = await play(story, stage).catch((error: unknown) => [String(error)]);
      if (told.length > 0) test.fail(JSON.stringify(story), { told });
    }
  };
  await Promise.all(Array.from({ length: STORIES_AT_ONCE }, player));
  test.ok(stories.length > 0, `${stories.length} stories`);
}

/** What a process told that lived until it killed itself. @throws when it ended otherwise */
async function killedAt(setup: PhaseProcessSetup, compiled: string): Promise<readonly PhaseReport[]> {
  // What the test runner wants loaded into Node is not for this process.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(setup)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, NODE_COMPILE_CACHE: compiled },
  });
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  let [out, noise] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    noise += chunk.toString();
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  process.off('exit', endWithUs);
  const told = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PhaseReport);
  const last = told.at(-1);
  if (signal !== 'SIGKILL' || last?.kind !== 'killed')
    throw new Error(`the process ended with ${signal ?? code} after ${JSON.stringify(last)}: ${noise}`);
  return told;
}
