import { StringDictionary } from './string-dictionary.ts';

/** Strings that a builder remembers from batch to batch before it forgets them all. */
const REMEMBERED_MAX = 16_384;
/** The same in bytes. */
const REMEMBERED_BYTES_MAX = 1024 * 1024;

/** A string that was seen: where its bytes lie in the arena, and its code in the batch numbered `batch`. */
export interface DictionaryEntry {
  readonly text: string;
  readonly firstWord: number;
  readonly byteLength: number;
  batch: number;
  code: number;
}

/**
 * Collects the distinct strings of one column, batch by batch. Strings are remembered over batches together with their
 * UTF-8 (padded with zeros to whole words), so that recurring keys cost one look-up and a copy of some words.
 *
 * Owns: the arena of all remembered bytes, and the list of entries that the current batch uses.
 * DB1  Every entry's bytes lie in the arena for as long as `entries` knows it; forgetting drops both at once, between batches.
 */
export class DictionaryBuilder {
  /** Everything remembered; read directly by generated code. */
  readonly entries = new Map<string, DictionaryEntry>();
  /** Rises when all is forgotten; entries from before are none any more. */
  generation = 0;
  /** Number of the current batch. */
  batch = 0;
  #arena = new Int32Array(64);
  #arenaBytes = new Uint8Array(this.#arena.buffer);
  #arenaWords = 0;
  #used: DictionaryEntry[] = [];
  #usedWords = 0;

  /** Bytes of the current batch's entries, with padding and their lengths. */
  get byteCount(): number {
    return 4 * (this.#usedWords + this.#used.length);
  }

  /** Code of a well-formed string in the current batch. */
  add(text: string): number {
    return this.use(this.entries.get(text) ?? this.#remember(text));
  }

  /** Code of a remembered string in the current batch. */
  use(entry: DictionaryEntry): number {
    if (entry.batch === this.batch) return entry.code;
    entry.batch = this.batch;
    entry.code = this.#used.length;
    this.#used.push(entry);
    this.#usedWords += (entry.byteLength + 3) >>> 2;
    return entry.code;
  }

  /** The dictionary of the current batch; the next one starts empty. */
  finish(): StringDictionary {
    const used = this.#used;
    const words = new Int32Array(this.#usedWords);
    const lengths = new Uint32Array(used.length);
    const texts = new Array<string>(used.length);
    let at = 0;
    for (let i = 0; i < used.length; i++) {
      const { text, firstWord, byteLength } = used[i] as DictionaryEntry;
      texts[i] = text;
      lengths[i] = byteLength;
      const end = firstWord + ((byteLength + 3) >>> 2);
      for (let word = firstWord; word < end; word++) words[at++] = this.#arena[word] as number;
    }
    this.#used = [];
    this.#usedWords = 0;
    this.batch++;
    if (this.entries.size > REMEMBERED_MAX || this.#arenaWords * 4 > REMEMBERED_BYTES_MAX) this.#forget();
    return new StringDictionary(words, lengths, texts);
  }

  #remember(text: string): DictionaryEntry {
    const firstWord = this.#arenaWords;
    this.#reserve(text.length);
    const byteLength = writeUtf8(text, this.#arenaBytes, firstWord * 4);
    this.#arenaWords = firstWord + ((byteLength + 3) >>> 2);
    this.#arenaBytes.fill(0, firstWord * 4 + byteLength, this.#arenaWords * 4);
    const entry: DictionaryEntry = { text, firstWord, byteLength, batch: -1, code: 0 };
    this.entries.set(text, entry);
    return entry;
  }

  /** Room for a string of `length` UTF-16 units, each at most 3 bytes. */
  #reserve(length: number): void {
    const end = this.#arenaWords + ((length * 3 + 3) >>> 2);
    if (end <= this.#arena.length) return;
    const arena = new Int32Array(Math.max(this.#arena.length * 2, end));
    arena.set(this.#arena);
    this.#arena = arena;
    this.#arenaBytes = new Uint8Array(arena.buffer);
  }

  #forget(): void {
    this.entries.clear();
    this.generation++;
    this.#arena = new Int32Array(64);
    this.#arenaBytes = new Uint8Array(this.#arena.buffer);
    this.#arenaWords = 0;
  }
}

const encoder = new TextEncoder();

/** Bytes written. Short ASCII goes char by char, which costs less than the call into the encoder. */
function writeUtf8(text: string, target: Uint8Array, at: number): number {
  if (text.length > 64) return encoder.encodeInto(text, target.subarray(at)).written;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return encoder.encodeInto(text, target.subarray(at)).written;
    target[at + i] = unit;
  }
  return text.length;
}
