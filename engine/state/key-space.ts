import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import {
  decodeKey,
  encodeKey,
  hashTuple,
  isScalar,
  keyTooLong,
  type KeyScalar,
  TUPLE_TAG,
  writeUint32,
} from '../key/key.ts';
import { keyGroupOf } from '../key/key-group.ts';
import { type ArraySource, newArrays } from './array-source.ts';
import { EMPTY, grownIdTable, newIdTable, removeId } from './id-table.ts';
import { GroupLists, listed } from './group-lists.ts';
import { type GroupRange, keyMisplaced } from './own-groups.ts';
import type { KeyPacker, NumberKeys, PackedKeys, StoredKeys } from './packed-keys.ts';
import { type ScalarEncodings, ScalarInterner } from './scalar-interner.ts';
import { SlotRuns } from './slot-runs.ts';
import { SlotTable } from './slot-table.ts';
import { noKey, ValueKeySpace } from './value-key-space.ts';

/** How a keyed stream finds a record's key: named fields (the fast form), or a function. */
export type KeySelector =
  | { readonly kind: 'fields'; readonly fields: readonly string[] }
  | { readonly kind: 'function'; readonly select: (row: unknown) => unknown };

/**
 * The keys of one keyed operator's subtask, each with a dense slot that all its state is indexed by. Slots are given back
 * when nothing holds them (slot-table.ts).
 */
export interface KeySpace extends KeyPacker {
  readonly selector: KeySelector;
  readonly slots: SlotTable;
  /** Keys held. */
  readonly size: number;
  /** Slot of a row's key, by `selector` unless another is given. @throws MR_KEY_INVALID when the row has none */
  readonly slotOfRow: (row: unknown, selector?: KeySelector) => number;
  /** Slot of a canonical key, on restore. */
  readonly slotOfCanonical: (bytes: Uint8Array) => number;
  /** The key as users see it: an object of the named fields, or what their function returned. */
  readonly value: (slot: number) => unknown;
  readonly canonical: (slot: number) => Uint8Array;
  readonly group: (slot: number) => number;
  /** Key groups that have a slot, rising. Of key spaces with `listsGroups`, like {@link slotsOfGroup}. */
  readonly groups: () => number[];
  /** A group's slots, copied. */
  readonly slotsOfGroup: (group: number, arrays?: ArraySource) => Int32Array;
  /** The keys of some slots, one after another. */
  readonly pack: (slots: Int32Array, arrays?: ArraySource) => PackedKeys;
  /** Slots of stored keys, in their order. @throws MR_KEY_INVALID, MR_STATE_INCOMPATIBLE */
  readonly slotsOf: (keys: StoredKeys) => Int32Array;
  /** Frees slots that nobody holds; between batches only (ST1). */
  readonly reclaim: () => void;
}

export interface KeySpaceOptions {
  /** Whether slots are listed by key group, so that a snapshot need not visit all for one; costs each new key its hash. Default false. */
  readonly listsGroups?: boolean;
  /** A new key of another group is refused as MR_KEY_MISPLACED. Of keys by fields. */
  readonly ownGroups?: GroupRange | undefined;
  /** Is called before a batch's records with its keys' slots, and −1 or others among them, where they are known so early: of keys by one text. */
  readonly expect?: (slots: Int32Array, count: number) => void;
}

export function createKeySpace(
  selector: KeySelector,
  maxParallelism: number,
  options: KeySpaceOptions = {},
): FieldKeySpace | ValueKeySpace {
  const lists = options.listsGroups === true ? new GroupLists(maxParallelism) : null;
  return selector.kind === 'fields'
    ? new FieldKeySpace(selector.fields, maxParallelism, lists, options)
    : new ValueKeySpace(selector, maxParallelism, lists);
}

/** Keys made of named fields. With one field its scalar id is the slot; with more, a table of id tuples gives the slot. */
export class FieldKeySpace implements KeySpace {
  readonly selector: { readonly kind: 'fields'; readonly fields: readonly string[] };
  readonly slots = new SlotTable();
  readonly components: readonly ScalarInterner[];
  readonly expect: NonNullable<KeySpaceOptions['expect']>;
  readonly #maxParallelism: number;
  readonly #width: number;
  /** Slots by the hashes of their ids (id-table.ts), so that only a slot that has the hash is looked at. */
  #table = newIdTable(2048);
  #mask = 2047;
  /** Component ids per slot, `width` each. */
  #tuples: Int32Array;
  readonly #freeSlots: number[] = [];
  #next = 0;
  /** Of keys of several fields, where slots are listed by key group. */
  readonly #runs: SlotRuns | null;
  #size = 0;
  #known = new Uint8Array(1024);
  readonly #values: unknown[] = [];
  #groups = new Int32Array(1024).fill(EMPTY);
  readonly #lists: GroupLists | null;
  readonly #ownGroups: GroupRange | null;
  /** Of one key, while it is looked at. */
  readonly #ids: number[];
  readonly #hashes: number[];

  constructor(
    fields: readonly string[],
    maxParallelism: number,
    lists: GroupLists | null = null,
    { ownGroups, expect }: Pick<KeySpaceOptions, 'ownGroups' | 'expect'> = {},
  ) {
    this.selector = { kind: 'fields', fields };
    this.components = fields.map(() => new ScalarInterner());
    this.#width = fields.length;
    this.#maxParallelism = maxParallelism;
    this.#lists = lists;
    this.#runs = lists === null || fields.length === 1 ? null : new SlotRuns(maxParallelism);
    this.#ownGroups = ownGroups ?? null;
    this.expect = expect ?? (() => {});
    this.#ids = fields.map(() => EMPTY);
    this.#hashes = fields.map(() => 0);
    this.#tuples = new Int32Array(1024 * this.#width);
  }

  get size(): number {
    return this.#size;
  }

  get tupleWidth(): number {
    return this.#width > 1 ? this.#width : 0;
  }

  slotOfRow(row: unknown): number {
    const record = row as Readonly<Record<string, unknown>>;
    if (this.#width === 1)
      return this.slotOf1(this.componentId(0, record[this.selector.fields[0] as string]));
    if (this.#width === 2) {
      const a = this.componentId(0, record[this.selector.fields[0] as string]);
      return this.slotOf2(a, this.componentId(1, record[this.selector.fields[1] as string]));
    }
    return this.slotOfIds(this.selector.fields.map((field, i) => this.componentId(i, record[field])));
  }

  /** Id of one component's value. @throws MR_KEY_INVALID when it is no scalar */
  componentId(component: number, value: unknown): number {
    if (!isScalar(value)) throw noKey(this.selector.fields[component] as string, value);
    return (this.components[component] as ScalarInterner).intern(value);
  }

  /** Slot of a one-field key from its component's id. */
  slotOf1(id: number): number {
    if (id >= this.#known.length || this.#known[id] === 0) this.#addScalar(id);
    return id;
  }

  /** Slot of a two-field key from its components' ids. */
  slotOf2(a: number, b: number): number {
    const table = this.#table;
    const tuples = this.#tuples;
    const hash = hash2(a, b);
    let at = hash & this.#mask;
    for (let slot = table[2 * at] as number; slot !== EMPTY; slot = table[2 * at] as number) {
      if (table[2 * at + 1] === hash && tuples[slot * 2] === a && tuples[slot * 2 + 1] === b) return slot;
      at = (at + 1) & this.#mask;
    }
    this.#ids[0] = a;
    this.#ids[1] = b;
    return this.#addTuple(this.#ids, hash, at);
  }

  /** Slot from any number of components' ids. */
  slotOfIds(ids: readonly number[]): number {
    if (this.#width === 1) return this.slotOf1(ids[0] as number);
    if (this.#width === 2) return this.slotOf2(ids[0] as number, ids[1] as number);
    const table = this.#table;
    const hash = hashIds(ids);
    let at = hash & this.#mask;
    for (let slot = table[2 * at] as number; slot !== EMPTY; slot = table[2 * at] as number) {
      if (table[2 * at + 1] === hash && ids.every((id, i) => this.#tuples[slot * this.#width + i] === id))
        return slot;
      at = (at + 1) & this.#mask;
    }
    return this.#addTuple(ids, hash, at);
  }

  slotOfCanonical(bytes: Uint8Array): number {
    const slot = this.#slotOfBytes(bytes, 0, bytes.length);
    return slot === EMPTY ? this.#slotOfDecoded(bytes) : slot;
  }

  slotsOf(keys: StoredKeys): Int32Array {
    if ('numbers' in keys) return this.#slotsOfNumbers(keys);
    if (!('ends' in keys)) return Int32Array.from(keys, (key) => this.slotOfCanonical(key));
    const { bytes, ends } = keys;
    const slots = new Int32Array(ends.length);
    for (let i = 0, from = 0; i < slots.length; i++) {
      const to = ends[i] as number;
      const slot = this.#slotOfBytes(bytes, from, to);
      slots[i] = slot === EMPTY ? this.#slotOfDecoded(bytes.subarray(from, to)) : slot;
      from = to;
    }
    return slots;
  }

  pack(slots: Int32Array, arrays: ArraySource = newArrays): PackedKeys {
    const width = this.#width;
    const isTuple = width > 1;
    const parts = this.components.map((component, c) => {
      const ids = arrays.int32(slots.length);
      for (let i = 0; i < ids.length; i++) ids[i] = this.#tuples[(slots[i] as number) * width + c] as number;
      return component.encodings(ids, arrays);
    });
    const ends = arrays.uint32(slots.length);
    let length = 0;
    for (let i = 0; i < ends.length; i++) {
      if (isTuple) length += 2 + 4 * width;
      for (const { lengths } of parts) length += lengths[i] as number;
      ends[i] = length;
    }
    const bytes = arrays.bytes(length);
    for (let i = 0, at = 0; i < ends.length; i++) {
      if (isTuple) {
        bytes[at++] = TUPLE_TAG;
        bytes[at++] = width;
      }
      for (let c = 0; c < width; c++) {
        const { lengths, write } = parts[c] as ScalarEncodings;
        const part = lengths[i] as number;
        if (isTuple) {
          writeUint32(part, bytes, at);
          at += 4;
        }
        write(i, bytes, at);
        at += part;
      }
    }
    return { bytes, ends };
  }

  readNumbers(slots: Int32Array, component: number, target: Float64Array): boolean {
    const width = this.#width;
    const ids = this.#tuples;
    const scalars = this.components[component] as ScalarInterner;
    for (let i = 0; i < slots.length; i++)
      target[i] = ids[(slots[i] as number) * width + component] as number;
    return scalars.readNumbers(target);
  }

  groups(): number[] {
    return listed(this.#lists).groups();
  }

  slotsOfGroup(group: number, arrays: ArraySource = newArrays): Int32Array {
    return listed(this.#lists).slotsOf(group, arrays);
  }

  /** Slot of a key that only {@link decodeKey} can tell, or refuse. */
  #slotOfDecoded(bytes: Uint8Array): number {
    const key = decodeKey(bytes);
    const parts = (Array.isArray(key) ? key : [key]) as readonly KeyScalar[];
    this.#refuseWidth(parts.length);
    return this.slotOfIds(parts.map((part, i) => this.componentId(i, part)));
  }

  #refuseWidth(fields: number): void {
    if (fields === this.#width) return;
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `A stored key has ${fields} fields, the job keys by ${this.selector.fields.join(', ')}.`,
    );
  }

  #slotsOfNumbers({ numbers }: NumberKeys): Int32Array {
    this.#refuseWidth(numbers.length);
    const slots = new Int32Array(numbers[0]?.length ?? 0);
    for (let i = 0; i < slots.length; i++) {
      for (let c = 0; c < numbers.length; c++) this.#ids[c] = this.componentId(c, numbers[c]?.[i]);
      slots[i] = this.slotOfIds(this.#ids);
    }
    return slots;
  }

  /** Straight from the bytes; EMPTY where a component is more than an ASCII string, and for what is no key of this width. */
  #slotOfBytes(bytes: Uint8Array, from: number, to: number): number {
    const width = this.#width;
    if (width === 1) {
      const id = (this.components[0] as ScalarInterner).internCanonical(bytes, from, to);
      return id < 0 ? EMPTY : this.slotOf1(id);
    }
    if (bytes[from] !== TUPLE_TAG || bytes[from + 1] !== width) return EMPTY;
    let at = from + 2;
    for (let i = 0; i < width; i++) {
      const start = at + 4;
      if (start > to) return EMPTY;
      at = start + uint32(bytes, at);
      if (at > to) return EMPTY;
      const id = (this.components[i] as ScalarInterner).internCanonical(bytes, start, at);
      if (id < 0) return EMPTY;
      this.#ids[i] = id;
    }
    return at === to ? this.slotOfIds(this.#ids) : EMPTY;
  }

  value(slot: number): unknown {
    const known = this.#values[slot];
    if (known !== undefined) return known;
    const scalars = this.#scalars(slot);
    const [field] = this.selector.fields as readonly [string];
    const value =
      this.#width === 1
        ? { [field]: scalars[0] }
        : Object.fromEntries(this.selector.fields.map((name, i) => [name, scalars[i]]));
    while (this.#values.length < slot) this.#values.push(undefined);
    this.#values[slot] = value;
    return value;
  }

  canonical(slot: number): Uint8Array {
    return this.#width === 1
      ? (this.components[0] as ScalarInterner).canonical(this.#tuples[slot] as number)
      : encodeKey(this.#scalars(slot));
  }

  group(slot: number): number {
    if (this.#groups[slot] === EMPTY) this.#groups[slot] = this.#groupOfIds(this.#tuples, slot * this.#width);
    return this.#groups[slot] as number;
  }

  reclaim(): void {
    // First ids that no key came of: what a slot lets go below is then given back once.
    for (const component of this.components) component.reclaim();
    this.slots.reclaim((slot) => this.#free(slot));
  }

  /** Of the key whose components' ids begin at `from`. */
  #groupOfIds(ids: ArrayLike<number>, from: number): number {
    for (let i = 0; i < this.#width; i++)
      this.#hashes[i] = (this.components[i] as ScalarInterner).hash(ids[from + i] as number);
    const hash = this.#width === 1 ? (this.#hashes[0] as number) : hashTuple(this.#hashes);
    return keyGroupOf(hash, this.#maxParallelism);
  }

  /** Key group of a new key, where somebody must know it now; refuses one that is misplaced before it leaves a trace here. */
  #groupOfNew(ids: readonly number[]): number {
    if (this.#lists === null && this.#ownGroups === null) return EMPTY;
    const group = this.#groupOfIds(ids, 0);
    if (this.#ownGroups === null) return group;
    const [first, last] = this.#ownGroups;
    if (group >= first && group <= last) return group;
    const key = this.components.map((component, i) => component.value(ids[i] as number));
    throw keyMisplaced(this.selector.fields, key, group, this.#ownGroups);
  }

  #scalars(slot: number): KeyScalar[] {
    return this.components.map((c, i) => c.value(this.#tuples[slot * this.#width + i] as number));
  }

  #addScalar(id: number): void {
    this.#ids[0] = id;
    this.#admit(id, this.#ids, this.#groupOfNew(this.#ids));
  }

  #addTuple(ids: readonly number[], hash: number, tableAt: number): number {
    const group = this.#groupOfNew(ids);
    let bytes = 2;
    for (let i = 0; i < ids.length; i++)
      bytes += 4 + (this.components[i] as ScalarInterner).bytes(ids[i] as number);
    if (bytes > LIMITS.keyBytesMax) throw keyTooLong(bytes);
    const slot = this.#runs?.take(group) ?? this.#freeSlots.pop() ?? this.#next++;
    this.#table[2 * tableAt] = slot;
    this.#table[2 * tableAt + 1] = hash;
    this.#admit(slot, ids, group);
    if (this.#size * 2 > this.#mask) this.#growTable();
    return slot;
  }

  /** @param group EMPTY when nobody has asked for it yet */
  #admit(slot: number, ids: readonly number[], group: number): void {
    if (slot >= this.#known.length) this.#growSlots(slot);
    this.#known[slot] = 1;
    this.#groups[slot] = group;
    for (let i = 0; i < this.#width; i++) {
      this.#tuples[slot * this.#width + i] = ids[i] as number;
      (this.components[i] as ScalarInterner).hold(ids[i] as number);
    }
    this.#lists?.add(slot, group);
    this.slots.add(slot);
    this.#size++;
  }

  #free(slot: number): void {
    this.#lists?.remove(slot, this.group(slot));
    if (this.#width > 1) {
      removeId(this.#table, slot, this.#hashOfSlot(slot));
      if (this.#runs === null) this.#freeSlots.push(slot);
      else this.#runs.giveBack(slot, this.group(slot));
    }
    this.#known[slot] = 0;
    if (slot < this.#values.length) this.#values[slot] = undefined;
    this.#size--;
    for (let i = 0; i < this.#width; i++) {
      (this.components[i] as ScalarInterner).drop(this.#tuples[slot * this.#width + i] as number);
    }
  }

  #hashOfSlot(slot: number): number {
    if (this.#width === 2)
      return hash2(this.#tuples[slot * 2] as number, this.#tuples[slot * 2 + 1] as number);
    return hashIds([...this.#tuples.subarray(slot * this.#width, (slot + 1) * this.#width)]);
  }

  #growTable(): void {
    this.#table = grownIdTable(this.#table);
    this.#mask = this.#mask * 2 + 1;
  }

  #growSlots(slot: number): void {
    const capacity = Math.max(this.#known.length * 2, slot + 1);
    const known = new Uint8Array(capacity);
    known.set(this.#known);
    this.#known = known;
    const groups = new Int32Array(capacity).fill(EMPTY);
    groups.set(this.#groups);
    this.#groups = groups;
    const tuples = new Int32Array(capacity * this.#width);
    tuples.set(this.#tuples);
    this.#tuples = tuples;
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [
    number,
    number,
    number,
    number,
  ];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function hash2(a: number, b: number): number {
  const h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  return h ^ (h >>> 15);
}

function hashIds(ids: readonly number[]): number {
  let h = ids.length;
  for (const id of ids) h = Math.imul(h ^ id, 0x9e3779b1);
  return h ^ (h >>> 15);
}
