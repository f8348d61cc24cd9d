import type { KeyScalar } from '../key/key.ts';

/**
 * Ids by scalar. Whole numbers of 32 bits, as most keys that are no strings, lie in a table of open addressing: a Map takes several times as
 * long, most of it in misses of the processor's cache.
 *
 * NI1 −0 and 0 are one scalar.
 */
export class ScalarIds {
  /** Value and id by turns; a place with id NONE is free. */
  #table = new Int32Array(2 * 64).fill(NONE);
  #mask = 63;
  #ints = 0;
  readonly #others = new Map<KeyScalar, number>();

  get size(): number {
    return this.#ints + this.#others.size;
  }

  /** −1 when it has none. */
  get(value: unknown): number {
    if (typeof value !== 'number' || (value | 0) !== value)
      return this.#others.get(value as KeyScalar) ?? NONE;
    return this.#table[2 * this.#placeOf(value) + 1] as number;
  }

  /** Of a scalar that has none. */
  set(value: KeyScalar, id: number): void {
    if (typeof value !== 'number' || (value | 0) !== value) {
      this.#others.set(value, id);
      return;
    }
    const at = 2 * this.#placeOf(value);
    this.#table[at] = value;
    this.#table[at + 1] = id;
    this.#ints++;
    if (this.#ints * 2 > this.#mask) this.#grow();
  }

  /** Of a scalar that has one. */
  delete(value: KeyScalar): void {
    if (typeof value !== 'number' || (value | 0) !== value) {
      this.#others.delete(value);
      return;
    }
    const table = this.#table;
    const mask = this.#mask;
    let hole = this.#placeOf(value);
    for (let at = (hole + 1) & mask; table[2 * at + 1] !== NONE; at = (at + 1) & mask) {
      const home = hashOf(table[2 * at] as number) & mask;
      // Move back what may not stay behind the hole: its home is cyclically not in (hole, at].
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[2 * hole] = table[2 * at] as number;
      table[2 * hole + 1] = table[2 * at + 1] as number;
      hole = at;
    }
    table[2 * hole + 1] = NONE;
    this.#ints--;
  }

  /** Where the number is, or may be put. */
  #placeOf(value: number): number {
    const table = this.#table;
    const mask = this.#mask;
    let at = hashOf(value) & mask;
    while (table[2 * at + 1] !== NONE && table[2 * at] !== value) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#table;
    this.#mask = this.#mask * 2 + 1;
    this.#table = new Int32Array(2 * (this.#mask + 1)).fill(NONE);
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] === NONE) continue;
      const at = 2 * this.#placeOf(before[i] as number);
      this.#table[at] = before[i] as number;
      this.#table[at + 1] = before[i + 1] as number;
    }
  }
}

const NONE = -1;

/** Neighbours, as ids of records often are, go to different places. */
function hashOf(value: number): number {
  const h = Math.imul(value, 0x9e3779b1);
  return h ^ (h >>> 15);
}
