import { fmix32 } from '#wire';

const TWO_32 = 2 ** 32;
const STEP = 0x9e3779b9;
const LETTER_A = 97;
const LETTERS = 26;
/** Letters that one draw of 32 bits gives. */
const LETTERS_PER_DRAW = 6;
const TEXT_MAX = 1_024;

/**
 * Draws of one event: a counter that starts at a mix of seed and event id and goes through murmur3's finaliser. Any event can be made
 * without those before it.
 */
export class EventRandom {
  readonly #seed: number;
  readonly #text = Buffer.alloc(TEXT_MAX);
  #state = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** From here on the draws are those of `id`. */
  begin(id: number): void {
    const high = Math.imul(fmix32(Math.floor(id / TWO_32)), 0x9e3779b1);
    this.#state = fmix32(this.#seed ^ fmix32(id % TWO_32) ^ high);
  }

  /** A whole number below `count`. */
  below(count: number): number {
    return Math.floor((this.#next() * count) / TWO_32);
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.#next() / TWO_32;
  }

  /** 3 to `max` − 1 letters, one in thirteen of them `special` instead; without spaces at its ends. */
  words(max: number, special = ' '): string {
    const length = 3 + this.below(max - 3);
    const other = special.charCodeAt(0);
    for (let i = 0; i < length; i++)
      this.#text[i] = this.below(13) === 0 ? other : LETTER_A + this.below(LETTERS);
    return this.#text.toString('latin1', 0, length).trim();
  }

  /** Exactly so many letters. */
  letters(length: number): string {
    const text = length <= TEXT_MAX ? this.#text : Buffer.alloc(length);
    let drawn = 0;
    for (let i = 0; i < length; i++) {
      if (i % LETTERS_PER_DRAW === 0) drawn = this.#next();
      text[i] = LETTER_A + (drawn % LETTERS);
      drawn = Math.floor(drawn / LETTERS);
    }
    return text.toString('latin1', 0, length);
  }

  #next(): number {
    this.#state = (this.#state + STEP) | 0;
    return fmix32(this.#state) >>> 0;
  }
}
