/** Numbers of a pair in the table: the two, its index + 1 (0: free), and one that keeps pairs from lying across cache lines. */
const STRIDE = 4;

/** Gives each distinct pair of whole numbers from 0 the next index. */
export class PairIndex {
  #table = new Int32Array(STRIDE * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(a: number, b: number): number {
    const table = this.#table;
    const mask = table.length / STRIDE - 1;
    let at = placeOf(a, b) & mask;
    for (let next = table[STRIDE * at + 2] as number; next !== 0; next = table[STRIDE * at + 2] as number) {
      if (table[STRIDE * at] === a && table[STRIDE * at + 1] === b) return next - 1;
      at = (at + 1) & mask;
    }
    put(table, at, [a, b, ++this.#size]);
    if (this.#size * 2 > mask) this.#grow();
    return this.#size - 1;
  }

  #grow(): void {
    const before = this.#table;
    const table = new Int32Array(before.length * 2);
    const mask = table.length / STRIDE - 1;
    for (let i = 0; i < before.length; i += STRIDE) {
      const [a, b, next] = before.subarray(i, i + 3) as unknown as [number, number, number];
      if (next === 0) continue;
      let at = placeOf(a, b) & mask;
      while (table[STRIDE * at + 2] !== 0) at = (at + 1) & mask;
      put(table, at, [a, b, next]);
    }
    this.#table = table;
  }
}

function put(table: Int32Array, at: number, pair: readonly [number, number, number]): void {
  table.set(pair, STRIDE * at);
}

function placeOf(a: number, b: number): number {
  const mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
