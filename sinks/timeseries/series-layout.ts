import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';

/** Slots that one series spreads over in a cluster. Part of the layout: it never changes. */
export const SERIES_SHARDS = 16;
const HOUR_MS = 3_600_000;

/** The shard that holds everything of a series key. */
export function shardOf(keyText: string): number {
  return crc32(keyText) % SERIES_SHARDS;
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

/** A point without its start, which is its name in the store: msgpack `[end, { field: value, … }]`. */
export function encodePoint(end: number, values: StoredPoint['values']): Buffer {
  return packr.pack([end, values]);
}

export function decodePoint(start: number, bytes: Buffer): StoredPoint {
  const [end, values] = packr.unpack(bytes) as [number, StoredPoint['values']];
  return { start, end, values };
}

const packr = new Packr({ useRecords: false });
