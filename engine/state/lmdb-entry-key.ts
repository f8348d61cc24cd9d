import { createHash } from 'node:crypto';
import type { KeySpace } from './key-space.ts';

/** LMDB's limit lies above (1,978 bytes with pages of 4 KiB); long keys also make a poor tree. */
const CANONICAL_BYTES_MAX = 1024;
const PREFIX_BYTES = 3;
const DIGEST = 0xff;

/**
 * Where a cell is found on disk; entries of one state lie key group by key group.
 *
 * ```text
 * u8 state | u16 big-endian key group | canonical key             up to 1,024 bytes of it
 *                                     | 0xff, SHA-256 of the key  when it is longer; no canonical key begins with 0xff
 * ```
 */
export class EntryKeys {
  readonly #keys: KeySpace;
  readonly #buffer = Buffer.alloc(PREFIX_BYTES + CANONICAL_BYTES_MAX);
  #slot = -1;
  #length = 0;
  /** The canonical key when only its digest is in the entry's key; else null. */
  long: Uint8Array | null = null;

  constructor(keys: KeySpace) {
    this.#keys = keys;
  }

  /** The entry's key for a slot's key, good until the next call. */
  of(state: number, slot: number): Buffer {
    if (slot !== this.#slot) this.#write(slot);
    this.#buffer[0] = state;
    return this.#buffer.subarray(0, this.#length);
  }

  /** Slots may have other keys from now on. */
  forget(): void {
    this.#slot = -1;
  }

  #write(slot: number): void {
    const canonical = this.#keys.canonical(slot);
    this.#buffer.writeUInt16BE(this.#keys.group(slot), 1);
    const isLong = canonical.length > CANONICAL_BYTES_MAX;
    this.long = isLong ? canonical : null;
    if (isLong) this.#buffer[PREFIX_BYTES] = DIGEST;
    const key = isLong ? createHash('sha256').update(canonical).digest() : canonical;
    const at = isLong ? PREFIX_BYTES + 1 : PREFIX_BYTES;
    this.#buffer.set(key, at);
    this.#length = at + key.length;
    this.#slot = slot;
  }
}

/** The key group of an entry. */
export function entryGroup(key: Uint8Array): number {
  return ((key[1] as number) << 8) | (key[2] as number);
}

/** The canonical key of an entry; null when that holds its digest only. */
export function entryCanonical(key: Uint8Array): Uint8Array | null {
  return key[PREFIX_BYTES] === DIGEST ? null : key.subarray(PREFIX_BYTES);
}
