import { crc32 } from 'node:zlib';
import { unpack } from 'msgpackr';

/** Slots that one series spreads over in a cluster. Part of the layout, as {@link SERIES_PAGES}: it never changes. */
export const SERIES_SHARDS = 16;
/** Pages of a shard: series keys that are written and read together. Many cost more calls, few longer answers. */
export const SERIES_PAGES = 64;
const HOUR_MS = 3_600_000;

/** Where everything of a series key lies. */
export interface SeriesPlace {
  readonly shard: number;
  readonly page: number;
}

export function placeOf(keyText: string): SeriesPlace {
  const hash = crc32(keyText);
  return { shard: hash % SERIES_SHARDS, page: Math.floor(hash / SERIES_SHARDS) % SERIES_PAGES };
}

export function hourOf(start: number): number {
  return Math.floor(start / HOUR_MS);
}

/** One window of one key as read back. */
export interface StoredPoint {
  readonly start: number;
  readonly end: number;
  readonly values: Readonly<Record<string, number | null>>;
}

/** A record of a page's field, its point still packed. */
export interface StoredRecord {
  readonly keyText: string;
  readonly point: Buffer;
}

/** The records of a field of a page, from `at`. */
export function* recordsOf(bytes: Buffer, at = 0): Iterable<StoredRecord> {
  while (at < bytes.length) {
    const [keyBytes, keyLengthEnd] = numberAt(bytes, at);
    const [pointBytes, key] = numberAt(bytes, keyLengthEnd);
    const point = key + keyBytes;
    at = point + pointBytes;
    yield { keyText: bytes.toString('utf8', key, point), point: bytes.subarray(point, at) };
  }
}

/** What a page keeps in one field: when it was written, as a number that rises with every write to the shard, and its records. */
export function storedField(bytes: Buffer): {
  readonly order: number;
  readonly records: Iterable<StoredRecord>;
} {
  const [order, at] = numberAt(bytes, 0);
  return { order, records: recordsOf(bytes, at) };
}

export function decodePoint(start: number, bytes: Buffer): StoredPoint {
  const [end, values] = unpack(bytes) as [number, StoredPoint['values']];
  return { start, end, values };
}

/** The field of a page that one writer keeps the points of one window start in. */
export const fieldName = (start: number, writer: string): string => `${start} ${writer}`;
export const startOf = (field: string): number => Number.parseInt(field, 10);

const SPACE = 0x20;

/** The decimal number at `at`, and where the text behind its space begins. */
function numberAt(bytes: Buffer, at: number): readonly [number, number] {
  const space = bytes.indexOf(SPACE, at);
  return [Number(bytes.toString('latin1', at, space)), space + 1];
}
