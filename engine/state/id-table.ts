/** In place of an id: nothing is there. */
export const EMPTY = -1;

/**
 * Ids, or other numbers from 0, by hashes, in pairs: the id at 2·i, its hash at 2·i + 1. Open addressing with linear probing over a power of two of places, at most
 * half of them taken. Whoever looks ids up compares what they stand for, in a loop of its own.
 */
export function newIdTable(places: number): Int32Array {
  return new Int32Array(2 * places).fill(EMPTY);
}

/** The same ids in twice the places. */
export function grownIdTable(before: Int32Array): Int32Array {
  const table = newIdTable(before.length);
  const mask = before.length - 1;
  for (let i = 0; i < before.length; i += 2) {
    if (before[i] === EMPTY) continue;
    let at = (before[i + 1] as number) & mask;
    while (table[2 * at] !== EMPTY) at = (at + 1) & mask;
    table[2 * at] = before[i] as number;
    table[2 * at + 1] = before[i + 1] as number;
  }
  return table;
}

/** Takes out an id that is there. */
export function removeId(table: Int32Array, id: number, hash: number): void {
  const mask = table.length / 2 - 1;
  let hole = hash & mask;
  while (table[2 * hole] !== id) hole = (hole + 1) & mask;
  for (let at = (hole + 1) & mask; table[2 * at] !== EMPTY; at = (at + 1) & mask) {
    const home = (table[2 * at + 1] as number) & mask;
    // Move back what may not stay behind the hole: its home is cyclically not in (hole, at].
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      table[2 * hole] = table[2 * at] as number;
      table[2 * hole + 1] = table[2 * at + 1] as number;
      hole = at;
    }
  }
  table[2 * hole] = EMPTY;
}
