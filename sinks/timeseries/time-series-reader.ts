import { type Clock, type OpenRedisLink, RedisConnection, type RedisLink, seriesKeys } from '#engine';
import { hourOf, SERIES_SHARDS, placeOf, type StoredPoint } from './series-layout.ts';
import { newestOfPage, pointsOfHour } from './series-page.ts';

export interface TimeSeriesReaderOptions {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
  /** Series that the reader answers for. */
  readonly names?: readonly string[];
  /** Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
}

/** Reads what {@link timeSeries} writes. Times are epoch ms. Keys are texts as seriesKeyText makes them. */
export interface TimeSeriesReader {
  readonly names: () => readonly string[];
  /**
   * Points with `from ≤ start < to`, ascending by start, the newest `pointsMax`. Looks back at most 7 days from the key's newest point.
   * Unknown and expired keys have none.
   */
  readonly range: (query: {
    readonly name: string;
    readonly key: string;
    readonly from: number;
    readonly to: number;
    readonly pointsMax: number;
  }) => Promise<readonly StoredPoint[]>;
  /** The newest point of at most `keysMax` keys, ordered by key. Which keys is looked up every few seconds. */
  readonly latest: (
    name: string,
    keysMax: number,
  ) => Promise<readonly { readonly key: string; readonly point: StoredPoint }[]>;
  /** The first `keysMax` keys in order. */
  readonly keys: (name: string, keysMax: number) => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

/** @throws MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED */
export async function openTimeSeriesReader(options: TimeSeriesReaderOptions): Promise<TimeSeriesReader> {
  const { url, namespace, clock, openLink = RedisConnection.open } = options;
  const redis = await openLink({ url, clock, name: 'millrace:series-reader' });
  const source = { redis, namespace };
  const keysOf = rememberedKeys(clock, (name) => allKeys(source, name));
  const keys = async (name: string, keysMax: number) => (await keysOf(name)).slice(0, keysMax);
  return {
    names: () => options.names ?? [],
    range: (query) => readRange(source, query),
    latest: async (name, keysMax) => readNewest(source, name, await keys(name, keysMax)),
    keys,
    async close() {
      redis.close();
    },
  };
}

interface Source {
  readonly redis: RedisLink;
  readonly namespace: string;
}

/** Hours that a range looks back from the newest point, and how many are asked for at once. */
const HOURS_MAX = 7 * 24;
const HOURS_AT_ONCE = 24;
const KEYS_REMEMBERED_MS = 5_000;
/** Series whose keys are remembered. */
const NAMES_REMEMBERED_MAX = 64;

async function readRange(
  { redis, namespace }: Source,
  query: Parameters<TimeSeriesReader['range']>[0],
): Promise<readonly StoredPoint[]> {
  const { name, key, from, to, pointsMax } = query;
  const { shard, page } = placeOf(key);
  const stored = seriesKeys(namespace, name, shard);
  const newest = (await redis.call('HGET', stored.hours, key)) as string | null;
  if (newest === null) return [];
  const last = Math.min(hourOf(to - 1), Number(newest));
  const first = Math.max(hourOf(from), Number(newest) - HOURS_MAX + 1);
  const points: StoredPoint[] = [];
  for (let hour = last; hour >= first && points.length < pointsMax; hour -= HOURS_AT_ONCE) {
    const hours = Array.from({ length: Math.min(HOURS_AT_ONCE, hour - first + 1) }, (_, i) => hour - i);
    const read = (at: number) => pointsOfHour(redis, stored.page(at, page), { key, from, to });
    for (const some of await Promise.all(hours.map(read))) points.push(...some);
  }
  return points.sort((a, b) => a.start - b.start).slice(-pointsMax);
}

/** The newest point of each key that has one. */
async function readNewest(source: Source, name: string, keys: readonly string[]) {
  const points = new Map<string, StoredPoint>();
  const byShard = Map.groupBy(keys, (key) => placeOf(key).shard);
  await Promise.all([...byShard].map(([shard, own]) => newestOfShard(source, name, shard, own, points)));
  return keys.flatMap((key) => {
    const point = points.get(key);
    return point === undefined ? [] : [{ key, point }];
  });
}

async function newestOfShard(
  { redis, namespace }: Source,
  name: string,
  shard: number,
  keys: readonly string[],
  points: Map<string, StoredPoint>,
): Promise<void> {
  const stored = seriesKeys(namespace, name, shard);
  const hours = (await redis.call('HMGET', stored.hours, ...keys)) as readonly (string | null)[];
  const known = keys.flatMap((key, i) => {
    const hour = hours[i] ?? null;
    return hour === null ? [] : [{ key, page: stored.page(Number(hour), placeOf(key).page) }];
  });
  const byPage = Map.groupBy(known, ({ page }) => page);
  const read = async ([page, own]: [string, readonly { readonly key: string }[]]) => {
    for (const [key, point] of await newestOfPage(redis, page, new Set(own.map(({ key }) => key))))
      points.set(key, point);
  };
  await Promise.all([...byPage].map(read));
}

async function allKeys({ redis, namespace }: Source, name: string): Promise<readonly string[]> {
  const read = (_: unknown, shard: number) => redis.call('HKEYS', seriesKeys(namespace, name, shard).hours);
  const shards = await Promise.all(Array.from({ length: SERIES_SHARDS }, read));
  return (shards as string[][]).flat().sort();
}

function rememberedKeys(clock: Clock, load: (name: string) => Promise<readonly string[]>) {
  const known = new Map<string, { readonly at: number; readonly keys: Promise<readonly string[]> }>();
  return (name: string): Promise<readonly string[]> => {
    const before = known.get(name);
    if (before !== undefined && clock.monotonic() - before.at < KEYS_REMEMBERED_MS) return before.keys;
    if (known.size >= NAMES_REMEMBERED_MAX) known.clear();
    const keys = load(name);
    known.set(name, { at: clock.monotonic(), keys });
    keys.catch(() => known.delete(name));
    return keys;
  };
}
