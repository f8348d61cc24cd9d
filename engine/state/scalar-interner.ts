import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import {
  canonicalScalar,
  encodeKey,
  hashScalar,
  keyTooLong,
  type KeyScalar,
  NUMBER_KEY_BYTES,
  STRING_TAG,
  writeNumberKey,
} from '../key/key.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import type { ArraySource } from './array-source.ts';
import { ScalarIds } from './scalar-ids.ts';
import { StringInterner } from './string-interner.ts';

/** Canonical encodings (key.ts) of some scalars, by index. */
export interface ScalarEncodings {
  /** Bytes. */
  readonly lengths: Int32Array;
  readonly write: (index: number, target: Uint8Array, start: number) => void;
}

/**
 * One component of a key: strings by their bytes, other scalars by value. Ids are dense per component, counted by holders.
 * A component has one type for life, so ids of strings and of other scalars never meet.
 *
 * SC1 an id that nobody came to hold is given back by the next {@link reclaim}: a record may be refused by a later field of
 *     its key, and must leave nothing behind.
 */
export class ScalarInterner {
  readonly #strings = new StringInterner();
  readonly #ids = new ScalarIds();
  readonly #values: (KeyScalar | undefined)[] = [];
  readonly #hashes: number[] = [];
  readonly #free: number[] = [];
  readonly #holders: number[] = [];
  /** New since the last {@link reclaim}. */
  #fresh: number[] = [];
  #isText: boolean | null = null;

  /** Scalars held. */
  get size(): number {
    return this.#strings.size + this.#ids.size;
  }

  internEntry(dictionary: StringDictionary, code: number, hash: number): number {
    const bytes = dictionary.lengths[code] as number;
    if (bytes >= LIMITS.keyBytesMax) throw keyTooLong(bytes + 1);
    this.#refuseOther(true, dictionary, code);
    const before = this.#strings.size;
    return this.#noted(this.#strings.internEntry(dictionary, code, hash), before);
  }

  /** Ids of the entries that are held, EMPTY for others; see {@link StringInterner.findEntries}. */
  findEntries(dictionary: StringDictionary, ids: Int32Array): void {
    this.#strings.findEntries(dictionary, ids);
  }

  intern(value: KeyScalar): number {
    if (typeof value === 'string') {
      if (value.length * 3 >= LIMITS.keyBytesMax) encodeKey(value); // refuses what is too long
      this.#refuseOther(true, value);
      const before = this.#strings.size;
      return this.#noted(this.#strings.internText(value), before);
    }
    this.#refuseOther(false, value);
    const known = this.#ids.get(value);
    if (known >= 0) return known;
    const id = this.#free.pop() ?? this.#values.length;
    this.#ids.set(value, id);
    this.#values[id] = canonicalScalar(value);
    this.#hashes[id] = hashScalar(value);
    this.#fresh.push(id);
    return id;
  }

  /**
   * Id of the scalar encoded in `bytes[from … to − 1]`; −1, and nothing is done, for what only {@link intern} can tell: strings
   * beyond ASCII, and bytes that may be no scalar.
   */
  internCanonical(bytes: Uint8Array, from: number, to: number): number {
    if (bytes[from] !== STRING_TAG || to - from > LIMITS.keyBytesMax || this.#isText === false) return -1;
    this.#isText = true;
    const before = this.#strings.size;
    const id = this.#strings.internAscii(bytes, from + 1, to);
    return id < 0 ? id : this.#noted(id, before);
  }

  value(id: number): KeyScalar {
    return this.#isText ? this.#strings.text(id) : (this.#values[id] as KeyScalar);
  }

  hash(id: number): number {
    return this.#isText ? this.#strings.hash(id) : (this.#hashes[id] as number);
  }

  /** Its canonical encoding (key.ts). */
  canonical(id: number): Uint8Array {
    if (this.#isText !== true) return encodeKey(this.#values[id] as KeyScalar);
    const bytes = new Uint8Array(1 + this.#strings.bytes(id));
    bytes[0] = STRING_TAG;
    this.#strings.writeBytes(id, bytes, 1);
    return bytes;
  }

  /** The canonical encodings of many, to be written one by one. */
  encodings(ids: Int32Array, arrays: ArraySource): ScalarEncodings {
    if (this.#isText !== true && ids.every((id) => typeof this.#values[id] === 'number')) {
      return {
        lengths: new Int32Array(ids.length).fill(NUMBER_KEY_BYTES),
        write: (i, target, start) => writeNumberKey(this.#values[ids[i] as number] as number, target, start),
      };
    }
    if (this.#isText !== true) {
      const encoded = Array.from(ids, (id) => encodeKey(this.#values[id] as KeyScalar));
      return {
        lengths: Int32Array.from(encoded, ({ length }) => length),
        write: (i, target, start) => target.set(encoded[i] as Uint8Array, start),
      };
    }
    const addresses = this.#strings.addresses(ids, arrays);
    return {
      lengths: this.#strings.lengthsAt(addresses, 1, arrays),
      write: (i, target, start) => {
        target[start] = STRING_TAG;
        this.#strings.writeAt(addresses[i] as number, target, start + 1);
      },
    };
  }

  /** Puts numbers in the place of their ids; false where there are other scalars. */
  readNumbers(ids: Float64Array): boolean {
    if (this.#isText === true) return false;
    for (let i = 0; i < ids.length; i++) {
      const value = this.#values[ids[i] as number];
      if (typeof value !== 'number') return false;
      ids[i] = value;
    }
    return true;
  }

  /** Length of its canonical encoding. */
  bytes(id: number): number {
    if (this.#isText) return this.#strings.bytes(id) + 1;
    const value = this.#values[id] as KeyScalar;
    return typeof value === 'number' ? NUMBER_KEY_BYTES : encodeKey(value).length;
  }

  hold(id: number): void {
    this.#holders[id] = (this.#holders[id] ?? 0) + 1;
  }

  /** Forgets the scalar when its last holder goes. */
  drop(id: number): void {
    const left = (this.#holders[id] as number) - 1;
    this.#holders[id] = left;
    if (left === 0) this.#forget(id);
  }

  /** Gives back new ids that nobody holds (SC1); between batches only (ST1). */
  reclaim(): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const id of fresh) if ((this.#holders[id] ?? 0) === 0) this.#forget(id);
  }

  #forget(id: number): void {
    if (this.#isText) return this.#strings.release(id);
    this.#ids.delete(this.#values[id] as KeyScalar);
    this.#values[id] = undefined;
    this.#free.push(id);
  }

  #noted(id: number, sizeBefore: number): number {
    if (this.#strings.size !== sizeBefore) this.#fresh.push(id);
    return id;
  }

  #refuseOther(isText: boolean, value: KeyScalar | StringDictionary, code = 0): void {
    this.#isText ??= isText;
    if (this.#isText === isText) return;
    throw new MillraceError(
      'MR_KEY_INVALID',
      `A key field holds both strings and other values, now ${typeof value === 'object' ? value.text(code) : String(value)}.`,
    );
  }
}
