import { invariant } from '../base/errors.ts';
import type { ArraySource } from './array-source.ts';

/**
 * The slots of a key space by key group: a snapshot finds one group's keys without a pass over all of them. A list is one piece of
 * memory, since a walk from slot to slot would miss the processor's cache at each.
 */
export class GroupLists {
  readonly #lists: Int32Array[];
  readonly #sizes: Int32Array;
  /** Per slot, its place in its group's list. */
  #places: Int32Array = new Int32Array(1024);

  constructor(groups: number) {
    this.#lists = Array.from({ length: groups }, () => NO_SLOTS);
    this.#sizes = new Int32Array(groups);
  }

  add(slot: number, group: number): void {
    if (slot >= this.#places.length) this.#places = grown(this.#places, slot);
    const place = this.#sizes[group] as number;
    let list = this.#lists[group] as Int32Array;
    if (place === list.length) {
      list = grown(list, place);
      this.#lists[group] = list;
    }
    list[place] = slot;
    this.#places[slot] = place;
    this.#sizes[group] = place + 1;
  }

  /** The last of the list takes its place. */
  remove(slot: number, group: number): void {
    const list = this.#lists[group] as Int32Array;
    const size = (this.#sizes[group] as number) - 1;
    const place = this.#places[slot] as number;
    const last = list[size] as number;
    list[place] = last;
    this.#places[last] = place;
    this.#sizes[group] = size;
  }

  /** Groups that have a slot, rising. */
  groups(): number[] {
    const found: number[] = [];
    for (let group = 0; group < this.#sizes.length; group++) if (this.#sizes[group] !== 0) found.push(group);
    return found;
  }

  /** A copy of a group's list: the order in which its slots were added, while none was removed. */
  slotsOf(group: number, arrays: ArraySource): Int32Array {
    const size = this.#sizes[group] as number;
    const copy = arrays.int32(size);
    copy.set((this.#lists[group] as Int32Array).subarray(0, size));
    return copy;
  }
}

const NO_SLOTS = new Int32Array(0);

function grown(list: Int32Array, index: number): Int32Array {
  const larger = new Int32Array(Math.max(16, list.length * 2, index + 1));
  larger.set(list);
  return larger;
}

/** @throws MR_INVARIANT when there are none */
export function listed(lists: GroupLists | null): GroupLists {
  invariant(lists !== null, 'a key space lists its groups when it is made with listsGroups');
  return lists;
}
