import { encodeKey, type Key, STRING_TAG, TUPLE_TAG } from '../key/key.ts';

/**
 * Many canonical keys (key.ts) as stored: one after another, so that a snapshot of a million keys is no million objects.
 *
 * ```text
 * bytes   key 0, key 1, …
 * ends    per key u32, the byte behind it
 * ```
 */
export interface PackedKeys {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

/** Keys as a snapshot holds them; one by one where it was stored before they were packed. */
export type StoredKeys = PackedKeys | readonly Uint8Array[];

/** Writes keys one after another: {@link tuple} and its parts or one scalar, then {@link end}. */
export class KeyPacker {
  #bytes: Uint8Array;
  #at = 0;
  readonly #ends: Uint32Array;
  #count = 0;

  /** @param keys how many there will be */
  constructor(keys: number) {
    this.#bytes = new Uint8Array(Math.max(64, keys * 32));
    this.#ends = new Uint32Array(keys);
  }

  /** What is being written; another one after each call. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The head of a key of so many components. */
  tuple(components: number): void {
    this.#room(2);
    this.#bytes[this.#at++] = TUPLE_TAG;
    this.#bytes[this.#at++] = components;
  }

  /** The length of a tuple's next part, which follows. */
  partLength(bytes: number): void {
    this.#room(4);
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[this.#at++] = bytes >>> shift;
  }

  scalar(encoded: Uint8Array): void {
    this.#room(encoded.length);
    this.#bytes.set(encoded, this.#at);
    this.#at += encoded.length;
  }

  /** Makes room for a string scalar of so many bytes; they go into {@link bytes} from the given place on. */
  string(length: number): number {
    this.#room(1 + length);
    this.#bytes[this.#at] = STRING_TAG;
    const start = this.#at + 1;
    this.#at = start + length;
    return start;
  }

  /** A whole key that is at hand as a value. */
  key(key: Key): void {
    this.scalar(encodeKey(key));
    this.end();
  }

  end(): void {
    this.#ends[this.#count++] = this.#at;
  }

  take(): PackedKeys {
    return { bytes: this.#bytes.slice(0, this.#at), ends: this.#ends };
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
