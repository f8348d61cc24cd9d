import { fmix32 } from '#wire';

/**
 * The hash of the last row of each key, and the sum of all of them modulo 2³²: what changes a result later takes the row before out.
 * Open addressing over a typed array; keys are numbers from 0.
 */
export class LatestHashes {
  size = 0;
  sum = 0;
  /** Key and hash by turns; a key of FREE is none. */
  #table = new Float64Array(2 * 1024).fill(FREE);
  #mask = 1023;

  set(key: number, hash: number): void {
    const at = this.#placeOf(key);
    const isNew = this.#table[at] === FREE;
    this.sum = (this.sum + hash - (isNew ? 0 : (this.#table[at + 1] as number))) | 0;
    this.#table[at] = key;
    this.#table[at + 1] = hash;
    if (isNew && ++this.size * 2 > this.#mask) this.#grow();
  }

  /** Where the key is, or may be put. */
  #placeOf(key: number): number {
    const table = this.#table;
    let at = fmix32(Math.imul(key / TWO_32, 0x9e3779b1) ^ key) & this.#mask;
    while (table[2 * at] !== key && table[2 * at] !== FREE) at = (at + 1) & this.#mask;
    return 2 * at;
  }

  #grow(): void {
    const before = this.#table;
    this.#mask = this.#mask * 2 + 1;
    this.#table = new Float64Array(2 * (this.#mask + 1)).fill(FREE);
    for (let i = 0; i < before.length; i += 2) {
      if (before[i] === FREE) continue;
      const at = this.#placeOf(before[i] as number);
      this.#table[at] = before[i] as number;
      this.#table[at + 1] = before[i + 1] as number;
    }
  }
}

const FREE = -1;
const TWO_32 = 2 ** 32;
