import type { Bytes } from './bytes.ts';
import type { StreamId } from './stream-id.ts';

export interface StreamValueEntry {
  readonly id: StreamId;
  /** Names and values in turn. */
  readonly fields: readonly Bytes[];
}

/** Entries by id. An emptied stream stays, with what it remembers. */
export class StreamValue {
  readonly kind = 'stream';
  #entries: StreamValueEntry[];
  /** Entries before it are dropped; they are let go of once they are as many as the others. */
  #head: number;
  #bytes: number;
  lastId: StreamId;
  /** The highest id that XDEL took out. */
  maxDeletedId: StreamId;
  entriesAdded: number;

  constructor(from?: StreamValue) {
    this.#entries = from === undefined ? [] : from.#entries.slice(from.#head);
    this.#head = 0;
    this.#bytes = from?.bytes ?? STREAM_BYTES;
    this.lastId = from?.lastId ?? 0n;
    this.maxDeletedId = from?.maxDeletedId ?? 0n;
    this.entriesAdded = from?.entriesAdded ?? 0;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.#bytes;
  }

  get first(): StreamValueEntry | null {
    return this.#entries[this.#head] ?? null;
  }

  get last(): StreamValueEntry | null {
    return this.size === 0 ? null : (this.#entries.at(-1) ?? null);
  }

  /** `id` is greater than {@link lastId}. */
  append(id: StreamId, fields: readonly Bytes[]): void {
    const entry = { id, fields };
    this.#entries.push(entry);
    this.#bytes += entryBytes(entry);
    this.lastId = id;
    this.entriesAdded++;
  }

  /** Entries from `start` to `end` inclusive, at most `countMax`, from the end when `reverse`. */
  range(start: StreamId, end: StreamId, countMax: number, reverse = false): readonly StreamValueEntry[] {
    const from = this.#indexOf(start);
    const to = this.#indexOf(end + 1n);
    if (reverse) return this.#entries.slice(Math.max(from, to - countMax), Math.max(from, to)).reverse();
    return this.#entries.slice(from, Math.min(to, from + countMax));
  }

  delete(id: StreamId): boolean {
    const index = this.#indexOf(id);
    const entry = this.#entries[index];
    if (entry?.id !== id) return false;
    this.#entries.splice(index, 1);
    this.#bytes -= entryBytes(entry);
    if (id > this.maxDeletedId) this.maxDeletedId = id;
    return true;
  }

  /** Drops what is below `minId`; returns how many. */
  trimBelow(minId: StreamId): number {
    return this.#dropFirst(this.#indexOf(minId) - this.#head);
  }

  /** Drops the oldest beyond `lengthMax`; returns how many. */
  trimTo(lengthMax: number): number {
    return this.#dropFirst(this.size - lengthMax);
  }

  clone(): StreamValue {
    return new StreamValue(this);
  }

  #dropFirst(count: number): number {
    if (count <= 0) return 0;
    for (let i = this.#head; i < this.#head + count; i++)
      this.#bytes -= entryBytes(this.#entries[i] as StreamValueEntry);
    this.#head += count;
    if (this.#head >= this.size) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return count;
  }

  /** Index of the first entry whose id is `id` or greater. */
  #indexOf(id: StreamId): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as StreamValueEntry).id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const STREAM_BYTES = 512;
const ENTRY_BYTES = 24;
const FIELD_BYTES = 2;

function entryBytes(entry: StreamValueEntry): number {
  let bytes = ENTRY_BYTES;
  for (const field of entry.fields) bytes += field.length + FIELD_BYTES;
  return bytes;
}
