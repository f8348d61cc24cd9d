import { type ArraySource, newArrays } from './array-source.ts';
import { ValueShape } from './value-shape.ts';

/** Values by index: whole numbers of 32 bits and other numbers as such, anything else as a list. */
type StoredList = Int32Array | Float64Array | readonly unknown[];

/** The values of flat objects of one shape, a list per field: names are stored once, numbers in a row. */
interface StoredFields {
  readonly fields: Readonly<Record<string, StoredList>>;
}

/** Values of many keys as a snapshot holds them. */
export type StoredValues = StoredList | StoredFields;

/** Gives the values of a snapshot by their index. */
export function valueReader(stored: StoredValues): (index: number) => unknown {
  if (isList(stored)) return (index) => stored[index];
  const shape = ValueShape.ofNames(Object.keys(stored.fields));
  const lists = Object.values(stored.fields);
  return (index) => shape.putTogether(lists, index);
}

function isList(stored: StoredValues): stored is StoredList {
  return Array.isArray(stored) || ArrayBuffer.isView(stored);
}

/**
 * Values on their way into a snapshot. The fields of flat objects of one shape go into a list each, numbers without an object of
 * their own: that takes a fraction of the time, and leaves the garbage collector nothing to walk through.
 *
 * VD1 what is added shares no memory with the value.
 */
export class ValuesDraft {
  readonly #copyOf: (value: unknown) => unknown;
  #shape: ValueShape | null = null;
  #lists: unknown[][] = [];
  /** Copies, where values have no shape in common. */
  #copies: unknown[] = [];
  #size = 0;

  constructor(copyOf: (value: unknown) => unknown) {
    this.#copyOf = copyOf;
  }

  add(value: unknown): void {
    const index = this.#size++;
    if (index === 0) {
      this.#shape = ValueShape.ofValue(value);
      this.#lists = this.#shape?.names.map(() => []) ?? [];
    }
    if (this.#shape !== null) {
      if (this.#shape.takeApart(value, this.#lists, index)) return;
      this.#giveUpShape(this.#shape, index);
    }
    this.#copies.push(this.#copyOf(value));
  }

  stored(arrays: ArraySource = newArrays): StoredValues {
    if (this.#shape === null) return storedList(this.#copies, arrays);
    const lists = this.#shape.names.map(
      (name, f) => [name, storedList(this.#lists[f] as unknown[], arrays)] as const,
    );
    return { fields: Object.fromEntries(lists) };
  }

  #giveUpShape(shape: ValueShape, count: number): void {
    for (let i = 0; i < count; i++) this.#copies.push(shape.putTogether(this.#lists, i));
    this.#shape = null;
    this.#lists = [];
  }
}

/** Numbers as such, anything else as it is. */
function storedList(values: readonly unknown[], arrays: ArraySource): StoredList {
  let areInts = true;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number') return values;
    // Of −0 a whole number would lose the sign.
    if ((value | 0) !== value || Object.is(value, -0)) areInts = false;
  }
  const numbers = areInts ? arrays.int32(values.length) : arrays.float64(values.length);
  for (let i = 0; i < values.length; i++) numbers[i] = values[i] as number;
  return numbers;
}
