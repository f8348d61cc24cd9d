import { invariant } from '../base/errors.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { murmur3Words } from '../wire/murmur3.ts';
import type { ArraySource } from './array-source.ts';
import { EMPTY, grownIdTable, newIdTable, removeId } from './id-table.ts';

/** Words per arena page: 1 MiB, above the longest key. An address is page << 18 | word. */
const PAGE_BITS = 18;
const PAGE_WORDS = 1 << PAGE_BITS;
const WORD_MASK = PAGE_WORDS - 1;
/** Words in front of the bytes: id, length. */
const HEAD_WORDS = 2;
/** A table of fewer words stays in the processor's second cache. */
const CACHED_WORDS_MAX = 1 << 18;
/** Up to so many bytes a loop copies faster than a call. */
const COPY_SHORT = 64;

/**
 * Gives every distinct string a small dense id, straight from a frame's UTF-8 bytes, without making a JS string.
 * Owns the bytes of the strings it holds; ids are given back by {@link release} and used again.
 *
 * SI1 equal strings have one id as long as it is held.
 * SI2 an id's hash is MurmurHash3 (seed 0) of its UTF-8, as `hashScalar` makes it.
 *
 * Layout: an open-addressing table of (address, hash) pairs (linear probing, load ≤ ½, deletion by backward shift); at an address,
 * in pages of words, the id, the length, and the bytes, zero-padded. A look-up touches two cache lines: the pair and what it
 * leads to. Freed chunks are reused by their exact word count.
 */
export class StringInterner {
  /** Addresses by hashes (id-table.ts). */
  #table = newIdTable(2048);
  #mask = 2047;
  /** By id; EMPTY when it is free. */
  #addresses = new Int32Array(1024).fill(EMPTY);
  readonly #pages: Int32Array[] = [new Int32Array(PAGE_WORDS)];
  /** The same memory as bytes. */
  readonly #pageBytes: Buffer[] = this.#pages.map(({ buffer }) => Buffer.from(buffer));
  #pageUsed = 0;
  readonly #freeChunks = new Map<number, number[]>();
  readonly #freeIds: number[] = [];
  #texts: (string | undefined)[] = [];
  #next = 0;
  #size = 0;
  /** What was read ahead, so that reading is not left out. */
  read = 0;

  /** Strings held. */
  get size(): number {
    return this.#size;
  }

  /** Ids ever in use at once; arrays by id need this length. */
  get capacity(): number {
    return this.#next;
  }

  /** Id of entry `code` of a frame's dictionary; `hash` is the dictionary's own for it. */
  internEntry(dictionary: StringDictionary, code: number, hash: number): number {
    return this.#intern(
      dictionary.words,
      (dictionary.starts[code] as number) >>> 2,
      dictionary.lengths[code] as number,
      hash,
    );
  }

  /**
   * Puts the ids of those entries of a frame's dictionary that are held into `ids`, and EMPTY for the others. All take a step before any
   * takes the next: look-ups of one step do not wait for each other, as two misses of the processor's cache in a row would.
   */
  findEntries(dictionary: StringDictionary, ids: Int32Array): void {
    const { words, starts, lengths, size } = dictionary;
    const hashes = dictionary.hashes();
    const table = this.#table;
    const mask = this.#mask;
    const isWide = table.length > CACHED_WORDS_MAX;
    if (isWide) this.#warmTable(hashes, size);
    for (let i = 0; i < size; i++) {
      const hash = hashes[i] as number;
      let at = hash & mask;
      while (table[2 * at] !== EMPTY && table[2 * at + 1] !== hash) at = (at + 1) & mask;
      ids[i] = table[2 * at] as number;
    }
    if (isWide) this.#warmStrings(ids, size);
    for (let i = 0; i < size; i++) {
      const address = ids[i] as number;
      if (address === EMPTY) continue;
      // Another string of the same hash may be in front of it: that is for internEntry.
      const isIt = this.#isAt(address, words, (starts[i] as number) >>> 2, lengths[i] as number);
      ids[i] = isIt ? this.#idAt(address) : EMPTY;
    }
  }

  /** Id of a JS string; its dictionary path is {@link internEntry}. */
  internText(text: string): number {
    const length = encode(text);
    const id = this.#intern(scratchWords, 0, length, murmur3Words(scratchWords, 0, length, 0));
    this.#texts[id] = text;
    return id;
  }

  /** Id of the string in `bytes[from … to − 1]`; −1, and nothing is done, when it is not ASCII: others need a decoder's checks. */
  internAscii(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from;
    ensureScratch(length);
    for (let i = 0; i < length; i++) {
      const byte = bytes[from + i] as number;
      if (byte >= 0x80) return -1;
      scratch[i] = byte;
    }
    scratch.fill(0, length, (length + 3) & ~3);
    return this.#intern(scratchWords, 0, length, murmur3Words(scratchWords, 0, length, 0));
  }

  text(id: number): string {
    const known = this.#texts[id];
    if (known !== undefined) return known;
    const address = this.#addresses[id] as number;
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const bytes = this.#pageBytes[address >>> PAGE_BITS] as Buffer;
    const at = address & WORD_MASK;
    const from = (at + HEAD_WORDS) * 4;
    const text = bytes.toString('utf8', from, from + (page[at + 1] as number));
    this.#texts[id] = text;
    return text;
  }

  /** Writes its UTF-8 at `start`. No JS string is made. */
  writeBytes(id: number, target: Uint8Array, start: number): void {
    this.writeAt(this.#addresses[id] as number, target, start);
  }

  /**
   * Where the bytes of many strings are, until one is released; then {@link lengthsAt} and {@link writeAt}. Step by step for all, since
   * a step's look-ups do not wait for each other: one string after another costs three misses of the processor's cache in a row.
   */
  addresses(ids: Int32Array, arrays: ArraySource): Int32Array {
    const addresses = arrays.int32(ids.length);
    for (let i = 0; i < ids.length; i++) addresses[i] = this.#addresses[ids[i] as number] as number;
    return addresses;
  }

  /** Each with so much added. */
  lengthsAt(addresses: Int32Array, plus: number, arrays: ArraySource): Int32Array {
    const lengths = arrays.int32(addresses.length);
    for (let i = 0; i < lengths.length; i++) lengths[i] = this.#lengthAt(addresses[i] as number) + plus;
    return lengths;
  }

  writeAt(address: number, target: Uint8Array, start: number): void {
    const bytes = this.#pageBytes[address >>> PAGE_BITS] as Buffer;
    const length = this.#lengthAt(address);
    const from = ((address & WORD_MASK) + HEAD_WORDS) * 4;
    if (length > COPY_SHORT) target.set(bytes.subarray(from, from + length), start);
    else for (let i = 0; i < length; i++) target[start + i] = bytes[from + i] as number;
  }

  /** Length of its UTF-8. */
  bytes(id: number): number {
    return this.#lengthAt(this.#addresses[id] as number);
  }

  /** MurmurHash3 of a held string; computed again from its bytes, which is rarer than remembering it would cost. */
  hash(id: number): number {
    const address = this.#addresses[id] as number;
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const at = address & WORD_MASK;
    return murmur3Words(page, at + HEAD_WORDS, page[at + 1] as number, 0);
  }

  /** Forgets a string; its id and bytes are used again. */
  release(id: number): void {
    const address = this.#addresses[id] as number;
    invariant(address !== EMPTY, `string id ${id} is released twice`);
    removeId(this.#table, address, this.hash(id));
    const words = HEAD_WORDS + ((this.#lengthAt(address) + 3) >>> 2);
    const free = this.#freeChunks.get(words);
    if (free === undefined) this.#freeChunks.set(words, [address]);
    else free.push(address);
    this.#addresses[id] = EMPTY;
    this.#texts[id] = undefined;
    this.#freeIds.push(id);
    this.#size--;
  }

  /** Without a branch that waits for what is read: so many reads are under way together. */
  #warmTable(hashes: Int32Array, count: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += table[2 * ((hashes[i] as number) & mask)] as number;
    this.read = sum;
  }

  #warmStrings(addresses: Int32Array, count: number): void {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const address = addresses[i] as number;
      if (address !== EMPTY)
        sum += (this.#pages[address >>> PAGE_BITS] as Int32Array)[address & WORD_MASK] as number;
    }
    this.read = sum;
  }

  #lengthAt(address: number): number {
    return (this.#pages[address >>> PAGE_BITS] as Int32Array)[(address & WORD_MASK) + 1] as number;
  }

  #idAt(address: number): number {
    return (this.#pages[address >>> PAGE_BITS] as Int32Array)[address & WORD_MASK] as number;
  }

  #intern(words: Int32Array, first: number, length: number, hash: number): number {
    const table = this.#table;
    const mask = this.#mask;
    let at = hash & mask;
    for (let address = table[2 * at] as number; address !== EMPTY; address = table[2 * at] as number) {
      if (table[2 * at + 1] === hash && this.#isAt(address, words, first, length)) return this.#idAt(address);
      at = (at + 1) & mask;
    }
    return this.#add(words, first, length, hash, at);
  }

  #isAt(address: number, words: Int32Array, first: number, length: number): boolean {
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const start = address & WORD_MASK;
    if (page[start + 1] !== length) return false;
    const count = (length + 3) >>> 2;
    for (let i = 0; i < count; i++) if (page[start + HEAD_WORDS + i] !== words[first + i]) return false;
    return true;
  }

  #add(words: Int32Array, first: number, length: number, hash: number, tableAt: number): number {
    const id = this.#freeIds.pop() ?? this.#next++;
    if (id >= this.#addresses.length) this.#growIds();
    const address = this.#store(id, words, first, length);
    this.#addresses[id] = address;
    this.#table[2 * tableAt] = address;
    this.#table[2 * tableAt + 1] = hash;
    this.#size++;
    if (this.#size * 2 > this.#mask) this.#growTable();
    return id;
  }

  #store(id: number, words: Int32Array, first: number, length: number): number {
    const count = HEAD_WORDS + ((length + 3) >>> 2);
    let address = this.#freeChunks.get(count)?.pop();
    if (address === undefined) {
      if (this.#pageUsed + count > PAGE_WORDS) {
        const page = new Int32Array(PAGE_WORDS);
        this.#pages.push(page);
        this.#pageBytes.push(Buffer.from(page.buffer));
        this.#pageUsed = 0;
      }
      address = ((this.#pages.length - 1) << PAGE_BITS) | this.#pageUsed;
      this.#pageUsed += count;
    }
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const start = address & WORD_MASK;
    page[start] = id;
    page[start + 1] = length;
    for (let i = HEAD_WORDS; i < count; i++) page[start + i] = words[first + i - HEAD_WORDS] as number;
    return address;
  }

  #growTable(): void {
    this.#table = grownIdTable(this.#table);
    this.#mask = this.#mask * 2 + 1;
  }

  #growIds(): void {
    const addresses = new Int32Array(this.#addresses.length * 2).fill(EMPTY);
    addresses.set(this.#addresses);
    this.#addresses = addresses;
  }
}

const encoder = new TextEncoder();
let scratch = new Uint8Array(1024);
let scratchWords = new Int32Array(scratch.buffer);

function ensureScratch(bytes: number): void {
  if (bytes + 4 <= scratch.length) return;
  scratch = new Uint8Array((bytes + 1027) & ~1023);
  scratchWords = new Int32Array(scratch.buffer);
}

function encode(text: string): number {
  ensureScratch(text.length * 3);
  const { written } = encoder.encodeInto(text, scratch);
  scratch.fill(0, written, (written + 3) & ~3);
  return written;
}
