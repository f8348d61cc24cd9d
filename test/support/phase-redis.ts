import { openRedisCheckpointStore, openRedisPartitionLog, RedisConnection, systemClock } from '#engine';
import type { RedisLink } from '../../engine/redis/redis-link.ts';
import type { PhaseStorage } from './phase-world.ts';

const LOOK_MS = 2;
const WAIT_MS = 15_000;
/** What changes when records and blobs are let go of: keys by their end, and fields of hashes. */
const LET_GO_KEYS = /\}:(s|blobs|b:.*)$/;
const LET_GO_FIELDS = ['start', 'startChain', 'low', 'blobBytes'];

/** Storage of one story on a real server: everything lies in a namespace of its own. */
export async function redisStorage(url: string, namespace: string): Promise<PhaseStorage> {
  const shared = { url, namespace, clock: systemClock, durability: 'process' } as const;
  const [log, store, link] = await Promise.all([
    openRedisPartitionLog(shared),
    openRedisCheckpointStore(shared),
    RedisConnection.open({ url, name: 'phases', clock: systemClock }),
  ]);
  const keys = async (pattern: string) =>
    ((await link.call('KEYS', `mr:${namespace}:${pattern}`)) as string[]).sort();
  return {
    log,
    store,
    async bytes(what) {
      const all = await keys('*');
      const wanted = what === 'all' ? all : all.filter((key) => !LET_GO_KEYS.test(key));
      const contents = wanted.map((key) => contentOf(link, key, all, what));
      return Buffer.from(JSON.stringify(await Promise.all(contents)));
    },
    // Per partition a hash of its stages, and the stages; both are gone when they are empty.
    staged: () => keys('*}:g*'),
    rest: (settled) => waitFor(settled, 'what is under way comes to rest'),
    until: waitFor,
    async close() {
      await Promise.all([log.close(), store.close()]);
      link.close();
    },
  };
}

/** Gives one namespace all that lies in another. */
export async function copyNamespace(url: string, from: string, to: string): Promise<void> {
  const link = await RedisConnection.open({ url, name: 'phases', clock: systemClock });
  const keys = (await link.call('KEYS', `mr:${from}:*`)) as readonly string[];
  await Promise.all(keys.map((key) => link.call('COPY', key, key.replace(`mr:${from}:`, `mr:${to}:`))));
  link.close();
}

/** Without the fences of sinks that nobody knows: an attempt that dies before its first checkpoint is published leaves some. */
async function contentOf(
  link: RedisLink,
  key: string,
  all: readonly string[],
  what: 'all' | 'decisions',
): Promise<unknown> {
  if ((await link.call('TYPE', key)) !== 'hash')
    return [key, ((await link.callBuffer('DUMP', key)) as Buffer).toString('base64')];
  const flat = (await link.callBuffer('HGETALL', key)) as readonly Buffer[];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2)
    fields.set(String(flat[i]), (flat[i + 1] as Buffer).toString('base64'));
  const isKnown = (sink: string) =>
    fields.has(`c:${sink}`) || all.some((other) => other.includes(`:g:${sink}:`));
  const isWanted = (field: string) =>
    (what === 'all' || !LET_GO_FIELDS.includes(field)) &&
    (!field.startsWith('g:') || isKnown(field.slice(2)));
  return [key, [...fields].filter(([field]) => isWanted(field)).sort(([a], [b]) => (a < b ? -1 : 1))];
}

async function waitFor(condition: () => boolean, what: string): Promise<void> {
  const untilMs = performance.now() + WAIT_MS;
  while (!condition()) {
    if (performance.now() > untilMs) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await systemClock.sleep(LOOK_MS);
  }
}
