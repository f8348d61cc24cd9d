import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';

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

/** What a {@link RecordPacker} packs: a point without its start, which its field in the page names. */
interface PointToPack {
  readonly keyText: string;
  readonly window: { readonly end: number };
  readonly value: StoredPoint['values'];
}

/**
 * Records of the field of a page, as the script that writes them describes them: `<bytes of the series key> <bytes of the point> `, the
 * key in UTF-8 and the point in msgpack, `[end, { field: value, … }]`.
 */
export class RecordPacker {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  add({ keyText, window, value }: PointToPack): void {
    const point = packr.pack([window.end, value]);
    const keyBytes = Buffer.byteLength(keyText);
    const head = `${keyBytes} ${point.length} ${keyText}`;
    this.#reserve(head.length + keyBytes + point.length);
    this.#length += this.#bytes.write(head, this.#length);
    this.#bytes.set(point, this.#length);
    this.#length += point.length;
  }

  /** The records added since the last call. */
  take(): Buffer {
    const records = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return records;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
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
  const [end, values] = packr.unpack(bytes) as [number, StoredPoint['values']];
  return { start, end, values };
}

/** The field of a page that one writer keeps the points of one window start in. */
export const fieldName = (start: number, writer: string): string => `${start} ${writer}`;
export const startOf = (field: string): number => Number.parseInt(field, 10);

const packr = new Packr({ useRecords: false });
const SPACE = 0x20;

/** The decimal number at `at`, and where the text behind its space begins. */
function numberAt(bytes: Buffer, at: number): readonly [number, number] {
  const space = bytes.indexOf(SPACE, at);
  return [Number(bytes.toString('latin1', at, space)), space + 1];
}
