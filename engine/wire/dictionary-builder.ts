import { StringDictionary } from './string-dictionary.ts';

const encoder = new TextEncoder();

/** Collects the distinct strings of one column of one batch, each as UTF-8 padded with zeros to whole words. */
export class DictionaryBuilder {
  /** String → code; read directly by generated code. */
  readonly codes = new Map<string, number>();
  #texts: string[] = [];
  #lengths: number[] = [];
  #words: Int32Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(bytes = 256) {
    this.#words = new Int32Array((bytes + 3) >>> 2);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** Bytes of the entries so far, with padding and their lengths. */
  get byteCount(): number {
    return this.#at + 4 * this.#texts.length;
  }

  /** Code of a well-formed string, which is added when new. */
  add(text: string): number {
    const known = this.codes.get(text);
    if (known !== undefined) return known;
    this.#reserve(text.length * 3 + 3);
    const length = writeUtf8(text, this.#bytes, this.#at);
    const end = (this.#at + length + 3) & ~3;
    this.#bytes.fill(0, this.#at + length, end);
    this.#at = end;
    const code = this.#texts.length;
    this.#texts.push(text);
    this.#lengths.push(length);
    this.codes.set(text, code);
    return code;
  }

  /** The dictionary of what was added; the builder starts anew. */
  finish(): StringDictionary {
    const words = this.#words.slice(0, this.#at >>> 2);
    const dictionary = new StringDictionary(words, Uint32Array.from(this.#lengths), this.#texts);
    this.#texts = [];
    this.#lengths = [];
    this.#at = 0;
    this.codes.clear();
    return dictionary;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const words = new Int32Array(Math.max(this.#words.length * 2, (this.#at + bytes + 3) >>> 2));
    words.set(this.#words);
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer);
  }
}

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
