import { invariant } from '../base/errors.ts';

/** The end of a list. */
const NONE = -1;

/**
 * The slots of a key space by key group, as doubly linked lists: a snapshot finds one group's keys without a pass over all of them.
 *
 * ```text
 * links   per slot   i32 the one added before it, i32 the one added after it; of its group, NONE at the ends
 * ```
 */
export class GroupLists {
  /** Per group, the slot added last. */
  readonly #last: Int32Array;
  readonly #sizes: Int32Array;
  #links = new Int32Array(2 * 1024);

  constructor(groups: number) {
    this.#last = new Int32Array(groups).fill(NONE);
    this.#sizes = new Int32Array(groups);
  }

  add(slot: number, group: number): void {
    if (2 * slot >= this.#links.length) this.#grow(slot);
    const before = this.#last[group] as number;
    this.#links[2 * slot] = before;
    this.#links[2 * slot + 1] = NONE;
    if (before !== NONE) this.#links[2 * before + 1] = slot;
    this.#last[group] = slot;
    this.#sizes[group] = (this.#sizes[group] as number) + 1;
  }

  remove(slot: number, group: number): void {
    const links = this.#links;
    const before = links[2 * slot] as number;
    const after = links[2 * slot + 1] as number;
    if (before !== NONE) links[2 * before + 1] = after;
    if (after === NONE) this.#last[group] = before;
    else links[2 * after] = before;
    this.#sizes[group] = (this.#sizes[group] as number) - 1;
  }

  /** Groups that have a slot, rising. */
  groups(): number[] {
    const found: number[] = [];
    for (let group = 0; group < this.#sizes.length; group++) if (this.#sizes[group] !== 0) found.push(group);
    return found;
  }

  /** A group's slots in the order in which they were added. */
  slotsOf(group: number): Int32Array {
    const slots = new Int32Array(this.#sizes[group] as number);
    let slot = this.#last[group] as number;
    for (let i = slots.length - 1; i >= 0; i--) {
      slots[i] = slot;
      slot = this.#links[2 * slot] as number;
    }
    return slots;
  }

  #grow(slot: number): void {
    const links = new Int32Array(Math.max(this.#links.length * 2, 2 * (slot + 1)));
    links.set(this.#links);
    this.#links = links;
  }
}

/** @throws MR_INVARIANT when there are none */
export function listed(lists: GroupLists | null): GroupLists {
  invariant(lists !== null, 'a key space lists its groups when it is made with listsGroups');
  return lists;
}
