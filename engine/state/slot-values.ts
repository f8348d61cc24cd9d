import { ValueShape } from './value-shape.ts';

/**
 * One value per slot. While all are flat objects of one shape, each of their fields lies in a list by slot, and numbers are no objects:
 * young values in an old list of many keys are what the garbage collector would work on with every batch.
 *
 * SV1 what is got for a slot is the value that was set last, or an object of its own with the same fields.
 */
export class SlotValues {
  #isEmpty = true;
  /** Null when values are kept as they are. */
  #shape: ValueShape | null = null;
  #lists: unknown[][] = [];
  /** By slot, 1 = there is a value; while there is a shape. */
  #known = new Uint8Array(1024);
  /** The slots that lists reach to. */
  #extent = 0;
  #values: unknown[] = [];

  /** Undefined where none was set. */
  get(slot: number): unknown {
    if (this.#shape === null) return this.#values[slot];
    return slot < this.#extent && this.#known[slot] === 1
      ? this.#shape.putTogether(this.#lists, slot)
      : undefined;
  }

  set(slot: number, value: unknown): void {
    if (this.#isEmpty) this.#choose(value);
    if (slot >= this.#extent) this.#extend(slot);
    if (this.#shape === null) this.#values[slot] = value;
    else if (this.#shape.takeApart(value, this.#lists, slot)) this.#known[slot] = 1;
    else {
      this.#giveUpShape();
      this.#values[slot] = value;
    }
  }

  #choose(value: unknown): void {
    this.#isEmpty = false;
    this.#shape = ValueShape.ofValue(value);
    this.#lists = this.#shape?.names.map(() => []) ?? [];
  }

  /** Without holes: V8 looks for what is missing in a list along its prototypes. */
  #extend(slot: number): void {
    for (const list of this.#lists) while (list.length <= slot) list.push(0);
    if (this.#shape === null) while (this.#values.length <= slot) this.#values.push(undefined);
    this.#extent = slot + 1;
    if (slot < this.#known.length) return;
    const known = new Uint8Array(Math.max(this.#known.length * 2, slot + 1));
    known.set(this.#known);
    this.#known = known;
  }

  #giveUpShape(): void {
    this.#values = Array.from({ length: this.#extent }, (_, slot) => this.get(slot));
    this.#shape = null;
    this.#lists = [];
  }
}
