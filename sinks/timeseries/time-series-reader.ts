import { type Clock, type OpenRedisLink, RedisConnection, type RedisLink, seriesKeys } from '#engine';
import { decodePoint, hourOf, SERIES_SHARDS, shardOf, type StoredPoint } from './series-layout.ts';

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
  source: Source,
  query: Parameters<TimeSeriesReader['range']>[0],
): Promise<readonly StoredPoint[]> {
  const { name, key, from, to, pointsMax } = query;
  const newest = (await newestOf(source, name, [key]))[0];
  if (newest === undefined || newest === null) return [];
  const last = hourOf(Math.min(to - 1, newest.start));
  const first = Math.max(hourOf(from), hourOf(newest.start) - HOURS_MAX + 1);
  const points: StoredPoint[] = [];
  for (let hour = last; hour >= first && points.length < pointsMax; hour -= HOURS_AT_ONCE) {
    const hours = Array.from({ length: Math.min(HOURS_AT_ONCE, hour - first + 1) }, (_, i) => hour - i);
    for (const some of await Promise.all(hours.map((at) => readHour(source, name, key, at))))
      points.push(...some);
  }
  return points
    .filter((point) => point.start >= from && point.start < to)
    .sort((a, b) => a.start - b.start)
    .slice(-pointsMax);
}

async function readHour(
  { redis, namespace }: Source,
  name: string,
  key: string,
  hour: number,
): Promise<readonly StoredPoint[]> {
  const bucket = seriesKeys(namespace, name, shardOf(key)).bucket(hour, key);
  const flat = (await redis.callBuffer('HGETALL', bucket)) as readonly Buffer[];
  const points: StoredPoint[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    points.push(decodePoint(Number(flat[i]), flat[i + 1] as Buffer));
  return points;
}

async function readNewest(source: Source, name: string, keys: readonly string[]) {
  const points = await newestOf(source, name, keys);
  return keys.flatMap((key, i) => {
    const point = points[i] ?? null;
    return point === null ? [] : [{ key, point }];
  });
}

/** The newest point of each key, null where there is none; one call per shard. */
async function newestOf({ redis, namespace }: Source, name: string, keys: readonly string[]) {
  const points: (StoredPoint | null)[] = new Array<StoredPoint | null>(keys.length).fill(null);
  const read = async (places: readonly number[], shard: number) => {
    const { newest } = seriesKeys(namespace, name, shard);
    const fields = places.map((place) => keys[place] as string);
    const values = (await redis.callBuffer('HMGET', newest, ...fields)) as readonly (Buffer | null)[];
    values.forEach((value, i) => {
      if (value !== null) points[places[i] as number] = newestPoint(value);
    });
  };
  const byShard = Map.groupBy(keys.keys(), (place) => shardOf(keys[place] as string));
  await Promise.all([...byShard].map(([shard, places]) => read(places, shard)));
  return points;
}

/** `<start>:<point>` */
function newestPoint(value: Buffer): StoredPoint {
  const colon = value.indexOf(0x3a);
  return decodePoint(Number(value.toString('latin1', 0, colon)), value.subarray(colon + 1));
}

async function allKeys({ redis, namespace }: Source, name: string): Promise<readonly string[]> {
  const read = (_: unknown, shard: number) => redis.call('HKEYS', seriesKeys(namespace, name, shard).newest);
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
