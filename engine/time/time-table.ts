const FREE = -1;
const TWO_32 = 2 ** 32;

/**
 * Something small per time, by open addressing over a typed array: a Map makes an object of each time and takes several times as long,
 * as times are beyond the numbers that need none.
 */
export class TimeTable {
  size = 0;
  /** Time and value by turns; a place whose value is FREE has no time. */
  #table = new Float64Array(2 * 64).fill(FREE);
  #mask = 63;

  /** −1 when there is none. */
  get(time: number): number {
    return this.#table[2 * this.#placeOf(time) + 1] as number;
  }

  /** @param value a whole number from 0 */
  set(time: number, value: number): void {
    const at = 2 * this.#placeOf(time);
    const isNew = this.#table[at + 1] === FREE;
    this.#table[at] = time;
    this.#table[at + 1] = value;
    if (isNew && ++this.size * 2 > this.#mask) this.#grow();
  }

  /** Of a time that has a value. */
  delete(time: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let hole = this.#placeOf(time);
    for (let at = (hole + 1) & mask; table[2 * at + 1] !== FREE; at = (at + 1) & mask) {
      const home = hashOf(table[2 * at] as number) & mask;
      // Move back what may not stay behind the hole: its home is cyclically not in (hole, at].
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[2 * hole] = table[2 * at] as number;
      table[2 * hole + 1] = table[2 * at + 1] as number;
      hole = at;
    }
    table[2 * hole + 1] = FREE;
    this.size--;
  }

  /** In no particular order. */
  forEach(visit: (time: number, value: number) => void): void {
    const table = this.#table;
    for (let i = 0; i < table.length; i += 2)
      if (table[i + 1] !== FREE) visit(table[i] as number, table[i + 1] as number);
  }

  /** Where the time is, or may be put. */
  #placeOf(time: number): number {
    const table = this.#table;
    const mask = this.#mask;
    let at = hashOf(time) & mask;
    while (table[2 * at + 1] !== FREE && table[2 * at] !== time) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#table;
    this.#mask = this.#mask * 2 + 1;
    this.#table = new Float64Array(2 * (this.#mask + 1)).fill(FREE);
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] === FREE) continue;
      const at = 2 * this.#placeOf(before[i] as number);
      this.#table[at] = before[i] as number;
      this.#table[at + 1] = before[i + 1] as number;
    }
  }
}

/** Bit operations take the low 32 bits. */
function hashOf(time: number): number {
  const h = Math.imul(time, 0x9e3779b1) ^ Math.imul(time / TWO_32, 0x85ebca6b);
  return h ^ (h >>> 15);
}
