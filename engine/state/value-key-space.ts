import { MillraceError } from '../base/errors.ts';
import {
  canonicalScalar,
  decodeKey,
  describeKey,
  encodeKey,
  hashKey,
  isKey,
  type Key,
  type KeyScalar,
  NUMBER_KEY_BYTES,
  writeNumberKey,
} from '../key/key.ts';
import { keyGroupOf } from '../key/key-group.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { type ArraySource, newArrays } from './array-source.ts';
import { EntrySlots } from './entry-slots.ts';
import { type GroupLists, listed } from './group-lists.ts';
import type { KeySelector, KeySpace } from './key-space.ts';
import { type PackedKeys, packKeys, storedKeyBytes, type StoredKeys } from './packed-keys.ts';
import { ScalarIds } from './scalar-ids.ts';
import { SlotTable } from './slot-table.ts';

const EMPTY = -1;

/** Keys that a function returns: from scalar, or from a tuple's canonical text, to the slot. */
export class ValueKeySpace implements KeySpace {
  readonly selector: { readonly kind: 'function'; readonly select: (row: unknown) => unknown };
  readonly slots = new SlotTable();
  /** Tuples that a function returns may be of any width: they are packed one by one. */
  readonly tupleWidth = 0;
  readonly #maxParallelism: number;
  readonly #ids = new ScalarIds();
  readonly #tupleIds = new Map<string, number>();
  /** Made when the first key comes from a dictionary. */
  #entries: EntrySlots | null = null;
  readonly #keys: (Key | undefined)[] = [];
  readonly #groups: number[] = [];
  readonly #lists: GroupLists | null;
  readonly #freeSlots: number[] = [];

  constructor(
    selector: { readonly kind: 'function'; readonly select: (row: unknown) => unknown },
    maxParallelism: number,
    lists: GroupLists | null = null,
  ) {
    this.selector = selector;
    this.#maxParallelism = maxParallelism;
    this.#lists = lists;
  }

  get size(): number {
    return this.#ids.size + this.#tupleIds.size;
  }

  slotOfRow(row: unknown, selector: KeySelector = this.selector): number {
    return this.slotOfKey(selector.kind === 'function' ? selector.select(row) : this.selector.select(row));
  }

  /** Slot of what the key function returned. @throws MR_KEY_INVALID */
  slotOfKey(key: unknown): number {
    const slot = this.#ids.get(key);
    return slot >= 0 ? slot : this.#slotOfNew(key);
  }

  /** Slot of the key that is a dictionary's entry; `hash` is the dictionary's own for it. @throws MR_KEY_INVALID */
  internEntry(dictionary: StringDictionary, code: number, hash: number): number {
    this.#entries ??= new EntrySlots();
    return this.#entries.slotOf(dictionary, code, hash, this.#slotOfText);
  }

  /** Slots of the entries that are known as keys, −1 for others. */
  findEntries(dictionary: StringDictionary, slots: Int32Array): void {
    if (this.#entries === null) slots.fill(EMPTY, 0, dictionary.size);
    else this.#entries.findEntries(dictionary, slots);
  }

  slotOfCanonical(bytes: Uint8Array): number {
    return this.slotOfKey(decodeKey(bytes));
  }

  slotsOf(keys: StoredKeys): Int32Array {
    const { count, at } = storedKeyBytes(keys);
    return Int32Array.from({ length: count }, (_, i) => this.slotOfCanonical(at(i)));
  }

  pack(slots: Int32Array, arrays: ArraySource = newArrays): PackedKeys {
    if (slots.every((slot) => typeof this.#keys[slot] === 'number')) return this.#packNumbers(slots, arrays);
    return packKeys(
      Array.from(slots, (slot) => this.canonical(slot)),
      arrays,
    );
  }

  readNumbers(slots: Int32Array, _component: number, target: Float64Array): boolean {
    const keys = this.#keys;
    for (let i = 0; i < slots.length; i++) {
      const key = keys[slots[i] as number];
      if (typeof key !== 'number') return false;
      target[i] = key;
    }
    return true;
  }

  groups(): number[] {
    return listed(this.#lists).groups();
  }

  slotsOfGroup(group: number, arrays: ArraySource = newArrays): Int32Array {
    return listed(this.#lists).slotsOf(group, arrays);
  }

  value(slot: number): unknown {
    return this.#keys[slot];
  }

  canonical(slot: number): Uint8Array {
    return encodeKey(this.#keys[slot] as Key);
  }

  group(slot: number): number {
    const known = this.#groups[slot];
    if (known !== undefined && known !== EMPTY) return known;
    const group = keyGroupOf(hashKey(this.#keys[slot] as Key), this.#maxParallelism);
    this.#groups[slot] = group;
    return group;
  }

  reclaim(): void {
    this.slots.reclaim((slot) => {
      const key = this.#keys[slot] as Key;
      this.#lists?.remove(slot, this.group(slot));
      if (Array.isArray(key)) this.#tupleIds.delete(tupleText(key));
      else this.#ids.delete(key as KeyScalar);
      this.#entries?.forget(slot);
      this.#keys[slot] = undefined;
      this.#freeSlots.push(slot);
    });
  }

  #packNumbers(slots: Int32Array, arrays: ArraySource): PackedKeys {
    const bytes = arrays.bytes(slots.length * NUMBER_KEY_BYTES);
    const ends = arrays.uint32(slots.length);
    for (let i = 0; i < slots.length; i++) {
      writeNumberKey(this.#keys[slots[i] as number] as number, bytes, i * NUMBER_KEY_BYTES);
      ends[i] = (i + 1) * NUMBER_KEY_BYTES;
    }
    return { bytes, ends };
  }

  readonly #slotOfText = (text: string): number => this.slotOfKey(text);

  #slotOfNew(key: unknown): number {
    if (!isKey(key)) throw noKey('key function', key);
    if (Array.isArray(key)) {
      const known = this.#tupleIds.get(tupleText(key));
      if (known !== undefined) return known;
    }
    // A key that no snapshot could hold is refused here, record by record.
    if (typeof key !== 'number') encodeKey(key);
    const slot = this.#freeSlots.pop() ?? this.#keys.length;
    this.#keys[slot] = Array.isArray(key) ? key.map(canonicalScalar) : canonicalScalar(key as KeyScalar);
    this.#groups[slot] = EMPTY;
    if (Array.isArray(key)) this.#tupleIds.set(tupleText(key), slot);
    else this.#ids.set(key as KeyScalar, slot);
    this.#lists?.add(slot, this.group(slot));
    this.slots.add(slot);
    return slot;
  }
}

/** That a row has no key, by what its `source` gave. */
export function noKey(source: string, value: unknown): MillraceError {
  return new MillraceError(
    'MR_KEY_INVALID',
    `A record has no usable key: ${source} gave ${describeKey(value)}.`,
  );
}

function tupleText(key: readonly KeyScalar[]): string {
  return Buffer.from(encodeKey(key)).toString('latin1');
}
