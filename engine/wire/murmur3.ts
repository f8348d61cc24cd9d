/**
 * MurmurHash3 x86 32-bit (Austin Appleby, public domain algorithm) over bytes that lie in whole, zero-padded
 * 4-byte words, which lets the body and the tail be read as words.
 * @param words little-endian words; entry starts at `firstWord`
 * @param byteLength true length; the bytes between it and the next word boundary must be zero
 * @returns signed 32-bit hash
 */
export function murmur3Words(words: Int32Array, firstWord: number, byteLength: number, seed: number): number {
  let h = seed | 0;
  const whole = byteLength >>> 2;
  for (let i = 0; i < whole; i++) {
    h = mixRound(h, words[firstWord + i] as number);
  }
  if ((byteLength & 3) !== 0) h ^= scramble(words[firstWord + whole] as number);
  return fmix32(h ^ byteLength);
}

/** One body round: folds a 32-bit value into a running hash. */
export function mixRound(h: number, value: number): number {
  const mixed = h ^ scramble(value);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** MurmurHash3's finaliser: every input bit reaches every output bit. */
export function fmix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** What a body round, or the tail, does to a word before folding it in. */
export function scramble(value: number): number {
  const k = Math.imul(value, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}
