import { fmix32 } from '#wire';
import { textHash } from './text-hash.ts';

const FALSE_POSITIVES = 0.01;

/** Bits and hashes of a filter of so many members, one in a hundred strangers taken for one. */
export function bloomSize(members: number): { readonly bits: number; readonly hashes: number } {
  const bits = Math.max(64, Math.ceil((-members * Math.log(FALSE_POSITIVES)) / Math.LN2 ** 2));
  return { bits, hashes: Math.max(1, Math.round((bits / Math.max(1, members)) * Math.LN2)) };
}

/** The first of a text's bits, and from each to the next (Kirsch and Mitzenmacher, 2006). */
export function bloomSteps(text: string): { readonly first: number; readonly step: number } {
  const first = textHash(text, 1);
  return { first: first >>> 0, step: fmix32(first ^ 2) >>> 0 };
}

/** A set that may take a stranger for a member, never a member for a stranger. */
export class BloomFilter {
  readonly #words: Uint32Array;
  readonly #bits: number;
  readonly #hashes: number;

  constructor(members: readonly string[]) {
    const { bits, hashes } = bloomSize(members.length);
    this.#bits = bits;
    this.#hashes = hashes;
    this.#words = new Uint32Array((bits + 31) >>> 5);
    for (const member of members) {
      const { first, step } = bloomSteps(member);
      for (let i = 0; i < hashes; i++) {
        const bit = (first + i * step) % bits;
        this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
      }
    }
  }

  has(text: string): boolean {
    const { first, step } = bloomSteps(text);
    for (let i = 0; i < this.#hashes; i++) {
      const bit = (first + i * step) % this.#bits;
      if (((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}
