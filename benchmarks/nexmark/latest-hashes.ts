import { fmix32 } from '#wire';

/**
 * The hash of the last row of each key, and the sum of all of them modulo 2³²: what changes a result later takes the row before out.
 * Open addressing over typed arrays; keys are numbers from 0, −1 marks a free place.
 */
export class LatestHashes {
  size = 0;
  sum = 0;
  #keys = new Float64Array(1024).fill(FREE);
  #hashes = new Int32Array(1024);

  set(key: number, hash: number): void {
    const at = this.#placeOf(key);
    if (this.#keys[at] === FREE) {
      this.#keys[at] = key;
      this.size++;
    }
    this.sum = (this.sum - (this.#hashes[at] as number) + hash) | 0;
    this.#hashes[at] = hash;
    if (this.size * 2 > this.#keys.length) this.#grow();
  }

  /** Where the key is, or may be put. */
  #placeOf(key: number): number {
    const mask = this.#keys.length - 1;
    let at = fmix32(Math.imul(key / TWO_32, 0x9e3779b1) ^ key) & mask;
    while (this.#keys[at] !== key && this.#keys[at] !== FREE) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [keys, hashes] = [this.#keys, this.#hashes];
    this.#keys = new Float64Array(keys.length * 2).fill(FREE);
    this.#hashes = new Int32Array(keys.length * 2);
    for (const [i, key] of keys.entries()) {
      if (key === FREE) continue;
      const at = this.#placeOf(key);
      this.#keys[at] = key;
      this.#hashes[at] = hashes[i] as number;
    }
  }
}

const FREE = -1;
const TWO_32 = 2 ** 32;
