import { invariant } from '../base/errors.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { EMPTY } from './id-table.ts';
import { StringInterner } from './string-interner.ts';

/**
 * Slots of strings by the bytes that frames hold of them: whose dictionary's entry has been seen before needs no JS string, and no look
 * into a Map by one.
 *
 * ES1 knows no slot that has been forgotten. It may not know one that is held: its owner has the whole truth.
 */
export class EntrySlots {
  readonly #ids = new StringInterner();
  /** By id; EMPTY for one that has no slot. */
  #slots = new Int32Array(1024).fill(EMPTY);
  /** By slot; EMPTY for one that did not come from a dictionary. */
  #idOf = new Int32Array(1024).fill(EMPTY);

  /** Slots of all entries, EMPTY for those that are not known. */
  findEntries(dictionary: StringDictionary, slots: Int32Array): void {
    this.#ids.findEntries(dictionary, slots);
    for (let i = 0; i < dictionary.size; i++) {
      const id = slots[i] as number;
      if (id !== EMPTY) slots[i] = this.#slots[id] as number;
    }
  }

  /** Slot of one entry; asks for one that is not known. What that throws leaves nothing behind. */
  slotOf(
    dictionary: StringDictionary,
    code: number,
    hash: number,
    slotOfText: (text: string) => number,
  ): number {
    const id = this.#ids.internEntry(dictionary, code, hash);
    if (id >= this.#slots.length) this.#slots = grown(this.#slots, id);
    const known = this.#slots[id] as number;
    if (known !== EMPTY) return known;
    let slot = EMPTY;
    try {
      slot = slotOfText(dictionary.text(code));
      this.#join(id, slot);
    } finally {
      if (slot === EMPTY) this.#ids.release(id);
    }
    return slot;
  }

  forget(slot: number): void {
    const id = this.#idOf[slot] ?? EMPTY;
    if (id === EMPTY) return;
    this.#idOf[slot] = EMPTY;
    this.#slots[id] = EMPTY;
    this.#ids.release(id);
  }

  #join(id: number, slot: number): void {
    if (slot >= this.#idOf.length) this.#idOf = grown(this.#idOf, slot);
    invariant(this.#idOf[slot] === EMPTY, `slot ${slot} has one string`);
    this.#slots[id] = slot;
    this.#idOf[slot] = id;
  }
}

function grown(numbers: Int32Array, index: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(numbers.length * 2, index + 1)).fill(EMPTY);
  larger.set(numbers);
  return larger;
}
