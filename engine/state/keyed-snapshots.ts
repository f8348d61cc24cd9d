import { invariant } from '../base/errors.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { ArraySource } from './array-source.ts';
import type { KeySpace } from './key-space.ts';
import { LazyGroups } from './lazy-groups.ts';
import { joinKeys, packBytesInSteps, packInSteps, packKeys, type StoredKeys } from './packed-keys.ts';
import { checked, inSteps, type Steps } from './steps.ts';

/** How an operator stores what it keeps by key. A group may stay half made for as long as the snapshot is being written. */
export interface KeyedForm<Draft, Body> {
  /** What a key group without keys is made from. */
  readonly empty: () => Draft;
  /**
   * Adds a copy of all that is kept under a slot, as of the last snapshot's time, to its key's group, which names the key by the
   * number `key` (from 0) from then on; false when nothing is kept.
   */
  readonly store: (slot: number, draft: Draft, key: number) => boolean;
  /**
   * The same for slots in their order, whose keys get the next numbers, faster than one by one. Gives those of which something is kept, in
   * the same memory.
   */
  readonly storeAll?: (slots: Int32Array, draft: Draft) => Int32Array;
  /** A draft will have at most so many keys that have a slot. Called once, before `storeAll`; what is added from then on may lie in `arrays`. */
  readonly reserve?: (draft: Draft, keys: number, arrays: ArraySource) => void;
  /** What is stored beside the keys, with the arrays in it from `arrays`; missing where that is the draft itself. */
  readonly body?: (draft: Draft, arrays: ArraySource) => Body;
}

/** A key group as stored: its keys, and what belongs to them, which names them by their numbers. */
export type StoredKeyGroup<Body> = Body & { readonly keys: StoredKeys };

/** What is kept under no slot, as it was at a snapshot. */
export interface FrozenRest<Body> {
  /** Adds what belongs to one key group. @param place gives a canonical key its number in the group */
  readonly addTo: (body: Body, group: number, place: (key: Uint8Array) => number) => void;
  readonly release: () => void;
}

/** A slot since the last snapshot: as it was; the same, but stored already; perhaps changed, and stored before where that matters. */
const [AS_IT_WAS, STORED, TOUCHED] = [0, 1, 2];

/** A key group in the making. */
interface Draft<Body> {
  /** Of its keys, by their numbers; room for all once it is known how many there may be. */
  slots: number[] | Int32Array;
  count: number;
  readonly body: Body;
}

/** A snapshot that is being read. */
interface Reading<Body> {
  /** Of groups that are being made, or have keys that had to be stored before. */
  readonly drafts: Map<number, Draft<Body>>;
  readonly made: Set<number>;
  /** Groups that are not finished. */
  left: number;
  readonly unpin: () => void;
  readonly rest: FrozenRest<Body> | null;
}

/**
 * Snapshots of what one operator keeps by slot, taken in no time and read key group by key group while records go on, also between the
 * steps in which a group is made. No suspension points.
 *
 * KN1 whoever changes something under a slot {@link touch}es the slot before: outside of a reading that is one comparison.
 * KN2 a key is stored once, as it was at the snapshot: when its turn comes in the making of its group, or before, when it is touched
 *     before that.
 * KN3 a key group is dirty from the first touch of any of its keys after a snapshot on; what is restored is not.
 * KN4 until a reading ends slots stay with their keys (ST2); it ends when all groups are made, with its release, or with the next
 *     snapshot.
 */
export class KeyedSnapshots<Body extends object, Stored extends object = Body> {
  readonly #keys: KeySpace;
  readonly #form: KeyedForm<Body, Stored>;
  readonly #dirty: Uint8Array;
  /** By slot, for every slot that is known. */
  #marks = new Uint8Array(1024);
  #reading: Reading<Body> | null = null;

  /** @param keys with `listsGroups`, and no key yet */
  constructor(keys: KeySpace, maxParallelism: number, form: KeyedForm<Body, Stored>) {
    this.#keys = keys;
    this.#form = form;
    this.#dirty = new Uint8Array(maxParallelism);
    keys.slots.onAdd((slot) => this.#admit(slot));
  }

  /** Before anything under the slot changes (KN1). */
  touch(slot: number): void {
    if (this.#marks[slot] !== TOUCHED) this.#touchFirst(slot);
  }

  /** Before what is under the slot moves, unchanged, to where `store` does not find it. */
  move(slot: number): void {
    if (this.#reading === null || this.#marks[slot] !== AS_IT_WAS) return;
    this.#marks[slot] = STORED;
    this.#storeEarly(this.#reading, slot, this.#keys.group(slot));
  }

  /** Something of a group has changed, or is to be stored anew, that no slot tells of. */
  touchGroup(group: number): void {
    this.#dirty[group] = 1;
  }

  /** Between two batches: reclaims slots. @param rest of any group, what is under no slot; missing where everything is */
  take(rest: FrozenRest<Body> | null = null): Required<Pick<OperatorState, 'groups' | 'dirty' | 'release'>> {
    if (this.#reading !== null) this.#end(this.#reading);
    // Key groups without keys need not be there.
    this.#keys.reclaim();
    const all = [...this.#dirty.keys()];
    const dirty = new Set(all.filter((group) => this.#dirty[group] === 1));
    this.#dirty.fill(0);
    this.#marks.fill(AS_IT_WAS);
    const unpin = this.#keys.slots.pin();
    const reading: Reading<Body> = { drafts: new Map(), made: new Set(), left: 0, unpin, rest };
    this.#reading = reading;
    const numbers = rest === null ? this.#keys.groups() : all;
    const isRead = () =>
      invariant(this.#reading === reading, 'a key group of a snapshot is made before its release');
    const groups = LazyGroups.inSteps(numbers, (group, arrays) =>
      checked(this.#make(reading, group, arrays), isRead),
    );
    reading.left = numbers.length;
    if (numbers.length === 0) this.#end(reading);
    return { groups, dirty, release: () => this.#end(reading) };
  }

  *#make(reading: Reading<Body>, number: number, arrays: ArraySource): Steps<StoredKeyGroup<Stored>> {
    invariant(
      this.#reading === reading && !reading.made.has(number),
      `key group ${number} of a snapshot is asked for again, or after the snapshot was released`,
    );
    const slots = this.#keys.slotsOfGroup(number, arrays);
    const draft = this.#draftOf(reading, number);
    const room = arrays.int32(slots.length);
    room.set(draft.slots);
    draft.slots = room;
    this.#form.reserve?.(draft.body, slots.length, arrays);
    yield* inSteps(slots.length, (from, to) => this.#storeRange(draft, slots.subarray(from, to)));
    reading.drafts.delete(number);
    reading.made.add(number);
    const named = room.subarray(0, draft.count);
    const rest: Uint8Array[] = [];
    reading.rest?.addTo(draft.body, number, (key) => named.length + rest.push(key) - 1);
    yield;
    const keys =
      rest.length === 0
        ? yield* packInSteps(this.#keys, named, arrays)
        : joinKeys([yield* packBytesInSteps(this.#keys, named, arrays), packKeys(rest, arrays)], arrays);
    if (--reading.left === 0) this.#end(reading);
    const { body = (it: Body) => it as unknown as Stored } = this.#form;
    return { keys, ...body(draft.body, arrays) };
  }

  /** Stores what is still as it was, so that a later touch of it need not. `among` is written over. */
  #storeRange(draft: Draft<Body>, among: Int32Array): void {
    const { storeAll } = this.#form;
    const marks = this.#marks;
    let left = 0;
    for (let i = 0; i < among.length; i++) {
      const slot = among[i] as number;
      if (marks[slot] !== AS_IT_WAS) continue;
      marks[slot] = STORED;
      among[left++] = slot;
    }
    const slots = among.subarray(0, left);
    if (storeAll === undefined) {
      for (const slot of slots) this.#store(draft, slot);
      return;
    }
    const kept = storeAll(slots, draft.body);
    (draft.slots as Int32Array).set(kept, draft.count);
    draft.count += kept.length;
  }

  #store(draft: Draft<Body>, slot: number): void {
    if (this.#form.store(slot, draft.body, draft.count)) draft.slots[draft.count++] = slot;
  }

  #end(reading: Reading<Body>): void {
    if (this.#reading !== reading) return;
    this.#reading = null;
    reading.unpin();
    reading.rest?.release();
  }

  #touchFirst(slot: number): void {
    const group = this.#keys.group(slot);
    const wasStored = this.#marks[slot] === STORED;
    this.#marks[slot] = TOUCHED;
    this.#dirty[group] = 1;
    if (this.#reading !== null && !wasStored) this.#storeEarly(this.#reading, slot, group);
  }

  #storeEarly(reading: Reading<Body>, slot: number, group: number): void {
    if (reading.made.has(group)) return;
    this.#store(this.#draftOf(reading, group), slot);
  }

  #draftOf({ drafts }: Reading<Body>, group: number): Draft<Body> {
    let draft = drafts.get(group);
    if (draft === undefined) {
      draft = { slots: [], count: 0, body: this.#form.empty() };
      drafts.set(group, draft);
    }
    return draft;
  }

  #admit(slot: number): void {
    if (slot >= this.#marks.length) {
      const marks = new Uint8Array(Math.max(this.#marks.length * 2, slot + 1));
      marks.set(this.#marks);
      this.#marks = marks;
    }
    // What has come after a snapshot is not in it.
    this.#marks[slot] = this.#reading === null ? AS_IT_WAS : STORED;
  }
}
