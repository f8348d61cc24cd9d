import type { StringDictionary } from '../wire/string-dictionary.ts';
import { StringInterner } from './string-interner.ts';

/** Strings remembered per column; beyond, all are forgotten at once. */
const STRINGS_MAX = 65_536;
/** Batches that a column whose strings do not repeat is left alone for. */
const REST_BATCHES = 64;

/**
 * Makes a column's JS strings once for many frames. A frame's dictionary holds bytes; making a string of them, and hashing it
 * anew in every Map that it meets, costs more than finding the one that the last frame had. Columns whose strings do not repeat (ids of
 * single records) are decoded as they come.
 */
export class TextCache {
  #interner = new StringInterner();
  #rest = 0;

  /** The texts of a dictionary, by code. */
  texts(dictionary: StringDictionary): readonly string[] {
    if (this.#rest > 0) {
      this.#rest--;
      return dictionary.texts();
    }
    const before = this.#interner.size;
    const hashes = dictionary.hashes();
    const texts = new Array<string>(dictionary.size);
    for (let code = 0; code < dictionary.size; code++) {
      texts[code] = this.#interner.text(this.#interner.internEntry(dictionary, code, hashes[code] as number));
    }
    const added = this.#interner.size - before;
    if (before > STRINGS_MAX / 2 && added * 2 > dictionary.size) this.#rest = REST_BATCHES;
    if (this.#interner.size > STRINGS_MAX) this.#interner = new StringInterner();
    return texts;
  }
}
