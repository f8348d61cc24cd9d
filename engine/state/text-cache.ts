import type { StringDictionary } from '../wire/string-dictionary.ts';
import { StringInterner } from './string-interner.ts';

/** Strings remembered per column; beyond, all are forgotten at once. */
const STRINGS_MAX = 65_536;
/** Strings of which most must have been there before, or the column is left alone for a while. */
const TRIAL_STRINGS = 16_384;
/** Batches that it is left alone for, the first time and the longest. */
const REST_BATCHES = 64;
const REST_BATCHES_MAX = 4_096;

/**
 * Makes a column's JS strings once for many frames, each when it is first asked for. A frame's dictionary holds bytes; making a string of
 * them, and hashing it anew in every Map that it meets, costs more than finding the one that an earlier frame had. Columns whose strings
 * do not repeat (ids of single records) are decoded as they come.
 */
export class TextCache {
  #interner = new StringInterner();
  #dictionary: StringDictionary | null = null;
  /** Since the trial began. */
  #asked = 0;
  #sizeBefore = 0;
  #rest = 0;
  #restNext = REST_BATCHES;

  /** The text of a dictionary's entry, which is in `dictionary.known` from then on. Loops look there first. */
  text(dictionary: StringDictionary, code: number): string {
    if (dictionary !== this.#dictionary) this.#begin(dictionary);
    if (this.#rest > 0) return dictionary.text(code);
    this.#asked++;
    const id = this.#interner.internEntry(dictionary, code, dictionary.hash(code));
    const text = this.#interner.text(id);
    dictionary.known[code] = text;
    return text;
  }

  /** All texts of a dictionary, by code. */
  texts(dictionary: StringDictionary): readonly string[] {
    for (let code = 0; code < dictionary.size; code++)
      if (dictionary.known[code] === undefined) this.text(dictionary, code);
    return dictionary.known as readonly string[];
  }

  #begin(dictionary: StringDictionary): void {
    this.#dictionary = dictionary;
    if (this.#rest > 0) {
      this.#rest--;
      return;
    }
    if (this.#asked >= TRIAL_STRINGS) {
      const isNew = (this.#interner.size - this.#sizeBefore) * 2 > this.#asked;
      if (isNew) this.#rest = this.#restNext;
      this.#restNext = isNew ? Math.min(this.#restNext * 2, REST_BATCHES_MAX) : REST_BATCHES;
      this.#asked = 0;
      this.#sizeBefore = this.#interner.size;
    }
    if (this.#rest > 0 || this.#interner.size > STRINGS_MAX) {
      this.#interner = new StringInterner();
      this.#sizeBefore = 0;
    }
  }
}
