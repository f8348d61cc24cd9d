import type { DictionaryBuilder, DictionaryEntry } from './dictionary-builder.ts';

/** Longer strings are made anew each time. */
const TEXT_BYTES_MAX = 48;
/** A slot is one line of the processor's cache: hash, length + 1 (0: empty), generation, and the bytes. */
const SLOT_WORDS = 16;
const SLOT_BYTES = 4 * SLOT_WORDS;
const TEXT_AT = SLOT_BYTES - TEXT_BYTES_MAX;
const SLOTS_MIN = 1_024;
const SLOTS_MAX = 65_536;
/** Look-ups after which it is judged whether remembering pays. */
const JUDGE_EVERY = 4_096;
/** Judgements that a column whose strings do not repeat is left alone for. */
const REST_JUDGEMENTS = 16;

/** A string, or where the column's dictionary has it. */
export type JsonText = string | DictionaryEntry;

/**
 * Finds the dictionary's entry of recurring ASCII bytes without making their string: with many keys that costs as much as the rest of a
 * record, since every string, table and entry on the way is another miss of the processor's cache. One string per slot, the last one wins;
 * grows while strings of one slot displace each other, and rests where they do not repeat at all (ids of single records).
 */
export class JsonTexts {
  readonly #dictionary: DictionaryBuilder;
  #mask = SLOTS_MIN - 1;
  #words = new Int32Array(SLOTS_MIN * SLOT_WORDS);
  #bytes = new Uint8Array(this.#words.buffer);
  #entries = new Array<DictionaryEntry | null>(SLOTS_MIN).fill(null);
  /** What was found missing last, and the slot that it is to have once its record is sound. */
  #missing: string | null = null;
  #missingSlot = 0;
  #lookups = 0;
  #misses = 0;
  #rest = 0;

  constructor(dictionary: DictionaryBuilder) {
    this.#dictionary = dictionary;
  }

  /** The text of ASCII bytes `start` … `end`. @param hash any 32 bits that follow from those bytes alone */
  find(bytes: Buffer, start: number, end: number, hash: number): JsonText {
    const length = end - start;
    if (++this.#lookups === JUDGE_EVERY) this.#judge();
    if (length > TEXT_BYTES_MAX || this.#rest > 0) return bytes.toString('latin1', start, end);
    const slot = (hash ^ (hash >>> 15)) & this.#mask;
    const word = slot * SLOT_WORDS;
    const words = this.#words;
    if (words[word] === hash && words[word + 1] === length + 1) {
      const stored = this.#bytes;
      let at = slot * SLOT_BYTES + TEXT_AT;
      let p = start;
      while (p < end && stored[at] === bytes[p]) {
        at++;
        p++;
      }
      const entry = p === end ? (this.#entries[slot] as DictionaryEntry | null) : null;
      if (entry !== null && words[word + 2] === this.#dictionary.generation) return entry;
    }
    return this.#miss(bytes, start, end, hash, slot);
  }

  /** The code in the current batch of a text of this column, whichever way it was read. */
  code(text: JsonText): number {
    if (typeof text !== 'string') return this.#dictionary.use(text);
    const code = this.#dictionary.add(text);
    if (text === this.#missing) {
      this.#entries[this.#missingSlot] = this.#dictionary.entries.get(text) ?? null;
      this.#missing = null;
    }
    return code;
  }

  #miss(bytes: Buffer, start: number, end: number, hash: number, slot: number): string {
    const text = bytes.toString('latin1', start, end);
    const word = slot * SLOT_WORDS;
    this.#misses++;
    this.#words[word] = hash;
    this.#words[word + 1] = end - start + 1;
    this.#words[word + 2] = this.#dictionary.generation;
    bytes.copy(this.#bytes, slot * SLOT_BYTES + TEXT_AT, start, end);
    this.#entries[slot] = null;
    this.#missing = text;
    this.#missingSlot = slot;
    return text;
  }

  #judge(): void {
    const misses = this.#misses;
    this.#lookups = 0;
    this.#misses = 0;
    if (this.#rest > 0) this.#rest--;
    else if (misses * 8 > JUDGE_EVERY) {
      if (this.#entries.length < SLOTS_MAX) this.#grow();
      else if (misses * 2 > JUDGE_EVERY) this.#rest = REST_JUDGEMENTS;
    }
  }

  #grow(): void {
    const slots = Math.min(this.#entries.length * 4, SLOTS_MAX);
    this.#mask = slots - 1;
    this.#words = new Int32Array(slots * SLOT_WORDS);
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#entries = new Array<DictionaryEntry | null>(slots).fill(null);
    this.#missing = null;
  }
}
