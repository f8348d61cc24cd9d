import { murmur3Words } from './murmur3.ts';

/**
 * The distinct strings of one column of one frame, as UTF-8. Every entry starts on a 4-byte boundary and is padded
 * with zero bytes, so that hashing and comparing work on words. Texts and hashes are made on first use and kept.
 */
export class StringDictionary {
  readonly size: number;
  /** Bytes of all entries. */
  readonly bytes: Uint8Array;
  /** The same memory as words. */
  readonly words: Int32Array;
  /** Byte at which entry i starts (a multiple of 4); `size` values. */
  readonly starts: Uint32Array;
  /** Bytes of entry i without padding; `size` values. */
  readonly lengths: Uint32Array;
  /** Texts made so far, by entry, for loops that ask {@link text} only for what is missing. */
  readonly known: (string | undefined)[];
  readonly #buffer: Buffer;
  #hashes: Int32Array | null = null;

  /**
   * @param words entries one after another, each padded to whole words; `lengths` their true byte lengths.
   * @param texts the same strings, where the maker has them at hand; owned by the dictionary from then on
   */
  constructor(words: Int32Array, lengths: Uint32Array, texts?: string[]) {
    this.size = lengths.length;
    this.words = words;
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.#buffer = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    this.lengths = lengths;
    this.starts = new Uint32Array(lengths.length);
    this.known = texts ?? new Array<string | undefined>(lengths.length);
    let at = 0;
    for (let i = 0; i < lengths.length; i++) {
      this.starts[i] = at;
      at += ((lengths[i] as number) + 3) & ~3;
    }
  }

  /** The string of entry `i`. */
  text(i: number): string {
    return this.known[i] ?? this.#decode(i);
  }

  /** All strings, for generated loops that index them per record. */
  texts(): readonly string[] {
    for (let i = 0; i < this.size; i++) if (this.known[i] === undefined) this.#decode(i);
    return this.known as string[];
  }

  /** MurmurHash3 (seed 0) of each entry's UTF-8 bytes, signed 32-bit. */
  hashes(): Int32Array {
    if (this.#hashes !== null) return this.#hashes;
    const hashes = new Int32Array(this.size);
    for (let i = 0; i < this.size; i++) {
      hashes[i] = murmur3Words(this.words, (this.starts[i] as number) >>> 2, this.lengths[i] as number, 0);
    }
    this.#hashes = hashes;
    return hashes;
  }

  /** The hash of one entry. */
  hash(i: number): number {
    return (
      this.#hashes?.[i] ??
      murmur3Words(this.words, (this.starts[i] as number) >>> 2, this.lengths[i] as number, 0)
    );
  }

  #decode(i: number): string {
    const start = this.starts[i] as number;
    const text = decodeUtf8(this.#buffer, start, start + (this.lengths[i] as number));
    this.known[i] = text;
    return text;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // a leading U+FEFF is part of the string

/** ASCII through the latin-1 path, which makes one-byte strings without a UTF-8 scan; everything else by TextDecoder. */
function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) >= 0x80) return decoder.decode(bytes.subarray(start, end));
  }
  return bytes.toString('latin1', start, end);
}
