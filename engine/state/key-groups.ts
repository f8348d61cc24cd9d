import type { KeySpace } from './key-space.ts';

/** One key group as stored: its keys, each named by its position everywhere else in the group. */
export interface StoredGroup {
  readonly keys: Uint8Array[];
}

/** Sorts a snapshot's entries by key group. Every key is stored once per group. */
export class KeyGroupWriter<Group extends StoredGroup> {
  readonly groups = new Map<number, Group>();
  readonly #keys: KeySpace;
  readonly #create: () => Group;
  readonly #indices = new Map<number, number>();

  /** @param create an empty group, with `keys: []` */
  constructor(keys: KeySpace, create: () => Group) {
    this.#keys = keys;
    this.#create = create;
  }

  /** The group of a slot's key, and the key's index in it. */
  place(slot: number): { readonly group: Group; readonly key: number } {
    const group = this.#group(this.#keys.group(slot));
    let key = this.#indices.get(slot);
    if (key === undefined) {
      key = group.keys.push(this.#keys.canonical(slot)) - 1;
      this.#indices.set(slot, key);
    }
    return { group, key };
  }

  /** The same for a key that has no slot now, with its key group. Stored again with each call. */
  placeKey(key: Uint8Array, number: number): { readonly group: Group; readonly key: number } {
    const group = this.#group(number);
    return { group, key: group.keys.push(key) - 1 };
  }

  #group(number: number): Group {
    let group = this.groups.get(number);
    if (group === undefined) {
      group = this.#create();
      this.groups.set(number, group);
    }
    return group;
  }
}
