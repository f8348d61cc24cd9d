import { type FieldColumn, grownColumns, ValueShape } from './value-shape.ts';

const FIRST_SLOTS = 1024;

/**
 * One value per slot. While all are flat objects of one shape, each of their fields lies in a column by slot, and numbers are no objects:
 * young values in an old list of many keys are what the garbage collector would work on with every batch.
 *
 * SV1 what is got for a slot is the value that was set last, or an object of its own with the same fields.
 */
export class SlotValues {
  #isEmpty = true;
  /** Null when values are kept as they are. */
  #shape: ValueShape | null = null;
  #columns: FieldColumn[] = [];
  /** By slot, 1 = there is a value. As long as every column. */
  #known = new Uint8Array(FIRST_SLOTS);
  #values: unknown[] = [];

  /** What values have in common, or null. */
  get shape(): ValueShape | null {
    return this.#shape;
  }

  /** A field of all values by slot, while there is a shape. */
  column(field: number): FieldColumn {
    return this.#columns[field] as FieldColumn;
  }

  has(slot: number): boolean {
    return this.#known[slot] === 1;
  }

  /** Undefined where none was set. */
  get(slot: number): unknown {
    if (this.#known[slot] !== 1) return undefined;
    return this.#shape === null ? this.#values[slot] : this.#shape.putTogether(this.#columns, slot);
  }

  set(slot: number, value: unknown): void {
    if (this.#isEmpty) this.#choose(value);
    if (slot >= this.#known.length) this.#grow(slot);
    if (this.#shape !== null && !this.#shape.takeApart(value, this.#columns, slot)) this.#giveUpShape();
    if (this.#shape === null) this.#values[slot] = value;
    this.#known[slot] = 1;
  }

  #choose(value: unknown): void {
    this.#isEmpty = false;
    this.#shape = ValueShape.ofValue(value);
    const slots = this.#known.length;
    if (this.#shape === null) grownColumns([this.#values], slots);
    else this.#columns = this.#shape.names.map(() => new Float64Array(slots));
  }

  #grow(slot: number): void {
    const slots = Math.max(this.#known.length * 2, slot + 1);
    const known = new Uint8Array(slots);
    known.set(this.#known);
    this.#known = known;
    if (this.#shape === null) grownColumns([this.#values], slots);
    this.#columns = grownColumns(this.#columns, slots);
  }

  #giveUpShape(): void {
    this.#values = Array.from(this.#known, (_, slot) => this.get(slot));
    this.#shape = null;
    this.#columns = [];
  }
}
