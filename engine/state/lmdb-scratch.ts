import { rm } from 'node:fs/promises';
import type { open, RootDatabase, Transaction } from 'lmdb';
import { Packr } from 'msgpackr';
import { errorText, MillraceError } from '../base/errors.ts';
import { entryCanonical, entryGroup } from './lmdb-entry-key.ts';

/** Commits before it returns, without waiting for the disk. */
const COMMIT_WITHOUT_FLUSH: number = 0x10002;

/** An entry as it lies on disk. */
export interface ScratchEntry {
  readonly key: Uint8Array;
  readonly canonical: Uint8Array;
  readonly group: number;
  readonly number: number;
  readonly stored: unknown;
}

/** Which entries of a state. */
interface EntryRange {
  /** Those behind this key. */
  readonly after?: Uint8Array | undefined;
  /** Those of one key group. */
  readonly group?: number;
  /** As {@link LmdbScratch.freeze} saw them. */
  readonly at?: Transaction;
}

/**
 * An LMDB environment for as long as one attempt lasts: nothing is flushed, and closing deletes it. Checkpoints are what lasts.
 *
 * ```text
 * key    lmdb-entry-key.ts
 * value  u32 number (lmdb-entry-numbers.ts) | u32 n, canonical key of n bytes (n is 0 unless the key is a digest) | msgpack, stored form
 * ```
 *
 * Integers are little-endian. No suspension points but {@link close}.
 *
 * LE1 what {@link write} has written is read from then on.
 */
export class LmdbScratch {
  readonly #folder: string;
  readonly #database: RootDatabase<Buffer, Buffer>;
  /** Plain objects as maps, typed arrays kept: the form of snapshots. */
  readonly #packr = new Packr({ useRecords: false, moreTypes: true });
  #value = Buffer.alloc(4096);
  #found: Uint8Array = new Uint8Array(0);

  /** @param folder empty; belongs to the scratch from now on */
  constructor(openDatabase: typeof open, folder: string) {
    this.#folder = folder;
    const options = {
      path: folder,
      noSubdir: false,
      noSync: true,
      noMetaSync: true,
      overlappingSync: false,
      // Keys come in no order: what lies beside a page is not read next.
      noReadAhead: true,
      noMemInit: true,
      keyEncoding: 'binary' as const,
      encoding: 'binary' as const,
      maxDbs: 1,
      maxReaders: 8,
    };
    this.#database = openDatabase<Buffer, Buffer>(options);
  }

  /** The number of an entry, 0 when there is none. {@link found} then gives what is stored, until the next call. */
  find(key: Buffer): number {
    const bytes = this.#database.getBinaryFast(key);
    if (bytes === undefined) return 0;
    this.#found = bytes;
    return bytes.readUInt32LE(0);
  }

  found(): unknown {
    // Copied: the buffer is the database's own, and what is unpacked may refer to its bytes.
    return this.#unpack(Uint8Array.prototype.slice.call(this.#found, 0, this.#found.length));
  }

  /**
   * Runs `work`, which puts and removes, as one transaction.
   * @throws MR_STATE_DISK
   */
  write(work: () => void): void {
    // A reader would keep the pages of its time from being used again.
    this.#database.resetReadTxn();
    try {
      this.#database.transactionSync(work, COMMIT_WITHOUT_FLUSH);
    } catch (error) {
      const isOfDatabase = typeof (error as { readonly code?: unknown }).code === 'number';
      if (!isOfDatabase) throw error;
      throw new MillraceError(
        'MR_STATE_DISK',
        `State on disk in '${this.#folder}' could not be written: ${errorText(error)}. Make room there, or give the job another state folder.`,
        { cause: error },
      );
    }
  }

  /** Within {@link write}. @param long the canonical key where `key` has its digest only */
  put(key: Buffer, long: Uint8Array | null, number: number, stored: unknown): void {
    const packed = this.#packr.pack(stored);
    const at = 8 + (long?.length ?? 0);
    const length = at + packed.length;
    if (length > this.#value.length) this.#value = Buffer.alloc(length * 2);
    this.#value.writeUInt32LE(number, 0);
    this.#value.writeUInt32LE(long?.length ?? 0, 4);
    if (long !== null) this.#value.set(long, 8);
    this.#value.set(packed, at);
    this.#database.putSync(key, this.#value.subarray(0, length));
  }

  /** Within {@link write}. */
  remove(key: Buffer): void {
    this.#database.removeSync(key);
  }

  /** Sees everything as it is now, until it is done. What it sees keeps its place in the file meanwhile. */
  freeze(): Transaction {
    return this.#database.useReadTransaction();
  }

  /** Entries of one state in order; to be used up without a pause. */
  *entries(state: number, which: EntryRange = {}): Generator<ScratchEntry> {
    const { after, group, at } = which;
    const range = {
      start: after === undefined ? groupStart(state, group ?? 0) : Buffer.from(after),
      end: group === undefined ? Buffer.of(state + 1) : groupStart(state, group + 1),
      exclusiveStart: after !== undefined,
      ...(at === undefined ? {} : { transaction: at }),
    };
    for (const { key, value } of this.#database.getRange(range)) {
      const longBytes = value.readUInt32LE(4);
      yield {
        key,
        canonical: entryCanonical(key) ?? Uint8Array.from(value.subarray(8, 8 + longBytes)),
        group: entryGroup(key),
        number: value.readUInt32LE(0),
        stored: this.#unpack(value),
      };
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #unpack(value: Uint8Array): unknown {
    const view = new DataView(value.buffer, value.byteOffset);
    return this.#packr.unpack(value.subarray(8 + view.getUint32(4, true))) as unknown;
  }
}

function groupStart(state: number, group: number): Buffer {
  return Buffer.of(state, group >>> 8, group & 0xff);
}
