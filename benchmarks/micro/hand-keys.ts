import type { Batch } from '#wire';
import { StringInterner } from '../../engine/state/string-interner.ts';
import { keyIndex } from './events.ts';

/** Keys for loops written by hand: the engine's string interner, and per batch the slot of each dictionary entry. Never forgets. */
export class HandKeys {
  /** The keys' numbers, by slot. */
  readonly index: Int32Array;
  readonly #interner = new StringInterner();
  readonly #slots: Int32Array;
  #known = 0;

  constructor(keys: number) {
    this.index = new Int32Array(keys);
    this.#slots = new Int32Array(keys);
  }

  /** Slots by the codes of the batch's key column; valid until the next call. */
  slotsOf(batch: Batch): Int32Array {
    const { dictionary } = stringsOf(batch, 1);
    const hashes = dictionary.hashes();
    for (let code = 0; code < dictionary.size; code++) {
      const slot = this.#interner.internEntry(dictionary, code, hashes[code] as number);
      this.#slots[code] = slot;
      if (slot < this.#known) continue;
      this.#known = slot + 1;
      this.index[slot] = keyIndex(this.#interner.text(slot));
    }
    return this.#slots;
  }
}

export function stringsOf(batch: Batch, field: number) {
  const column = batch.column(field);
  if (column.kind !== 'string') throw new Error(`field ${field} holds no strings`);
  return column;
}

export function numbersOf(batch: Batch, field: number): Float64Array {
  const column = batch.column(field);
  if (column.kind !== 'f64') throw new Error(`field ${field} holds no numbers`);
  return column.values;
}
