/**
 * Digest of results in any order: a wrapping sum of mixed numbers, which costs each variant a few nanoseconds per result and keeps
 * none of them. Takes whole numbers; of greater ones the low 32 bits count.
 */
export class ResultDigest {
  results = 0;
  #low = 0;
  #high = 0;

  /** One result: its key's number, and up to four of its numbers. */
  add(key: number, a: number, b: number, c = 0, d = 0): void {
    const hash = mixed(mixed(mixed(mixed(mixed(0x9747b28c, key), a), b), c), d);
    this.results++;
    this.#low = (this.#low + hash) | 0;
    this.#high = (this.#high + Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)) | 0;
  }

  text(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

function mixed(hash: number, value: number): number {
  const mix = Math.imul(hash ^ value, 0x85ebca6b);
  return mix ^ (mix >>> 15);
}
