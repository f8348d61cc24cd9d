import { MillraceError } from '../base/errors.ts';
import { hashScalar, type KeyScalar } from '../key/key.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { StringInterner } from './string-interner.ts';

/**
 * One component of a key: strings by their bytes, other scalars by value. Ids are dense per component, counted by holders.
 * A component has one type for life, so ids of strings and of other scalars never meet.
 */
export class ScalarInterner {
  readonly #strings = new StringInterner();
  readonly #ids = new Map<KeyScalar, number>();
  readonly #values: (KeyScalar | undefined)[] = [];
  readonly #hashes: number[] = [];
  readonly #free: number[] = [];
  readonly #holders: number[] = [];
  #isText: boolean | null = null;

  internEntry(dictionary: StringDictionary, code: number, hash: number): number {
    this.#isText ??= true;
    return this.#strings.internEntry(dictionary, code, hash);
  }

  intern(value: KeyScalar): number {
    this.#isText ??= typeof value === 'string';
    if (this.#isText !== (typeof value === 'string')) {
      throw new MillraceError(
        'MR_KEY_INVALID',
        `A key field holds both strings and other values, now ${String(value)}.`,
      );
    }
    if (typeof value === 'string') return this.#strings.internText(value);
    const known = this.#ids.get(value);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.#values.length;
    this.#ids.set(value, id);
    this.#values[id] = value;
    this.#hashes[id] = hashScalar(value);
    return id;
  }

  value(id: number): KeyScalar {
    return this.#isText ? this.#strings.text(id) : (this.#values[id] as KeyScalar);
  }

  hash(id: number): number {
    return this.#isText ? this.#strings.hash(id) : (this.#hashes[id] as number);
  }

  hold(id: number): void {
    this.#holders[id] = (this.#holders[id] ?? 0) + 1;
  }

  /** Forgets the scalar when its last holder goes. */
  drop(id: number): void {
    const left = (this.#holders[id] as number) - 1;
    this.#holders[id] = left;
    if (left > 0) return;
    if (this.#isText) return this.#strings.release(id);
    this.#ids.delete(this.#values[id] as KeyScalar);
    this.#values[id] = undefined;
    this.#free.push(id);
  }
}
