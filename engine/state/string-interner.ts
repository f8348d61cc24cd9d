import { invariant } from '../base/errors.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { murmur3Words } from '../wire/murmur3.ts';

/** Words per arena page: 1 MiB, at least the longest key. An address is page << 18 | word. */
const PAGE_BITS = 18;
const PAGE_WORDS = 1 << PAGE_BITS;
const WORD_MASK = PAGE_WORDS - 1;
const EMPTY = -1;

/**
 * Gives every distinct string a small dense id, straight from a frame's UTF-8 bytes, without making a JS string.
 * Owns the bytes of the strings it holds; ids are given back by {@link release} and used again.
 *
 * SI1 equal strings have one id as long as it is held.
 * SI2 an id's hash is MurmurHash3 (seed 0) of its UTF-8, as `hashScalar` makes it.
 *
 * Layout: an open-addressing table of ids (linear probing, load ≤ ½, deletion by backward shift); per id its hash and the
 * address of its bytes in pages of zero-padded words. Freed chunks are reused by their exact word count.
 */
export class StringInterner {
  #table = new Int32Array(2048).fill(EMPTY);
  #mask = 2047;
  #hashes = new Int32Array(1024);
  #addresses = new Int32Array(1024);
  #lengths = new Int32Array(1024).fill(EMPTY);
  readonly #pages: Int32Array[] = [new Int32Array(PAGE_WORDS)];
  #pageUsed = 0;
  readonly #freeChunks = new Map<number, number[]>();
  readonly #freeIds: number[] = [];
  #texts: (string | undefined)[] = [];
  #next = 0;
  #size = 0;

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

  /** Id of a JS string; its dictionary path is {@link internEntry}. */
  internText(text: string): number {
    const length = encode(text);
    const id = this.#intern(scratchWords, 0, length, murmur3Words(scratchWords, 0, length, 0));
    this.#texts[id] = text;
    return id;
  }

  text(id: number): string {
    const known = this.#texts[id];
    if (known !== undefined) return known;
    const address = this.#addresses[id] as number;
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const bytes = Buffer.from(page.buffer, (address & WORD_MASK) * 4, this.#lengths[id] as number);
    const text = bytes.toString('utf8');
    this.#texts[id] = text;
    return text;
  }

  hash(id: number): number {
    return this.#hashes[id] as number;
  }

  /** Forgets a string; its id and bytes are used again. */
  release(id: number): void {
    const length = this.#lengths[id] as number;
    invariant(length !== EMPTY, `string id ${id} is released twice`);
    this.#removeFromTable(id);
    const words = (length + 3) >>> 2;
    const free = this.#freeChunks.get(words);
    if (free === undefined) this.#freeChunks.set(words, [this.#addresses[id] as number]);
    else free.push(this.#addresses[id] as number);
    this.#lengths[id] = EMPTY;
    this.#texts[id] = undefined;
    this.#freeIds.push(id);
    this.#size--;
  }

  #intern(words: Int32Array, first: number, length: number, hash: number): number {
    const table = this.#table;
    const count = (length + 3) >>> 2;
    let at = hash & this.#mask;
    for (let id = table[at] as number; id !== EMPTY; id = table[at] as number) {
      if (this.#hashes[id] === hash && this.#lengths[id] === length && this.#equals(id, words, first, count))
        return id;
      at = (at + 1) & this.#mask;
    }
    return this.#add(words, first, length, hash, at);
  }

  #equals(id: number, words: Int32Array, first: number, count: number): boolean {
    const address = this.#addresses[id] as number;
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const start = address & WORD_MASK;
    for (let i = 0; i < count; i++) if (page[start + i] !== words[first + i]) return false;
    return true;
  }

  #add(words: Int32Array, first: number, length: number, hash: number, tableAt: number): number {
    const id = this.#freeIds.pop() ?? this.#next++;
    if (id >= this.#hashes.length) this.#growIds();
    this.#hashes[id] = hash;
    this.#lengths[id] = length;
    this.#addresses[id] = this.#store(words, first, (length + 3) >>> 2);
    this.#table[tableAt] = id;
    this.#size++;
    if (this.#size * 2 > this.#mask) this.#growTable();
    return id;
  }

  #store(words: Int32Array, first: number, count: number): number {
    let address = this.#freeChunks.get(count)?.pop();
    if (address === undefined) {
      if (this.#pageUsed + count > PAGE_WORDS) {
        this.#pages.push(new Int32Array(PAGE_WORDS));
        this.#pageUsed = 0;
      }
      address = ((this.#pages.length - 1) << PAGE_BITS) | this.#pageUsed;
      this.#pageUsed += count;
    }
    const page = this.#pages[address >>> PAGE_BITS] as Int32Array;
    const start = address & WORD_MASK;
    for (let i = 0; i < count; i++) page[start + i] = words[first + i] as number;
    return address;
  }

  #removeFromTable(id: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let hole = (this.#hashes[id] as number) & mask;
    while (table[hole] !== id) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; table[at] !== EMPTY; at = (at + 1) & mask) {
      const home = (this.#hashes[table[at] as number] as number) & mask;
      // Move back what may not stay behind the hole: its home is cyclically not in (hole, at].
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        table[hole] = table[at] as number;
        hole = at;
      }
    }
    table[hole] = EMPTY;
  }

  #growTable(): void {
    this.#mask = this.#mask * 2 + 1;
    this.#table = new Int32Array(this.#mask + 1).fill(EMPTY);
    for (let id = 0; id < this.#next; id++) {
      if (this.#lengths[id] === EMPTY) continue;
      let at = (this.#hashes[id] as number) & this.#mask;
      while (this.#table[at] !== EMPTY) at = (at + 1) & this.#mask;
      this.#table[at] = id;
    }
  }

  #growIds(): void {
    const capacity = this.#hashes.length * 2;
    const hashes = new Int32Array(capacity);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const addresses = new Int32Array(capacity);
    addresses.set(this.#addresses);
    this.#addresses = addresses;
    const lengths = new Int32Array(capacity).fill(EMPTY);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}

const encoder = new TextEncoder();
let scratch = new Uint8Array(1024);
let scratchWords = new Int32Array(scratch.buffer);

function encode(text: string): number {
  if (text.length * 3 + 4 > scratch.length) {
    scratch = new Uint8Array((text.length * 3 + 1027) & ~1023);
    scratchWords = new Int32Array(scratch.buffer);
  }
  const { written } = encoder.encodeInto(text, scratch);
  scratch.fill(0, written, (written + 3) & ~3);
  return written;
}
