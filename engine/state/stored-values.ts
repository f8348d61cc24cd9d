import { type ArraySource, newArrays } from './array-source.ts';
import { type NumberList, numberList } from './number-list.ts';
import { NumberRuns, runReader, startsOf, type StoredRuns } from './number-runs.ts';
import type { SlotValues } from './slot-values.ts';
import { type FieldColumn, grownColumns, ValueShape } from './value-shape.ts';

/** Values by index: numbers as such, anything else as a list. */
type StoredList = NumberList | readonly unknown[];

/** The values of flat objects of one shape, a list per field: names are stored once, numbers in a row. */
interface StoredFields {
  readonly fields: Readonly<Record<string, StoredList>>;
}

/** Lists of entries: how many are in each, and their keys, values and times, one behind another. */
interface StoredEntries {
  readonly counts: NumberList;
  readonly keys: StoredList;
  readonly values: StoredValues;
  /** Missing where entries are without. */
  readonly times?: StoredList;
}

/** Values of many keys as a snapshot holds them. */
export type StoredValues = StoredList | StoredFields | StoredRuns | StoredEntries;

/** Gives the values of a snapshot by their index. */
export function valueReader(stored: StoredValues): (index: number) => unknown {
  if (isList(stored)) return (index) => stored[index];
  if ('items' in stored) return runReader(stored);
  if ('counts' in stored) return entryReader(stored);
  const shape = ValueShape.ofNames(Object.keys(stored.fields));
  const lists = Object.values(stored.fields);
  return (index) => shape.putTogether(lists, index);
}

function isList(stored: StoredValues): stored is StoredList {
  return Array.isArray(stored) || ArrayBuffer.isView(stored);
}

/** Gives lists of entries: `[key, value]` each, or `[key, value, time]`. */
function entryReader({ counts, keys, values, times }: StoredEntries): (index: number) => unknown[] {
  const starts = startsOf(counts);
  const valueOf = valueReader(values);
  const entryOf = (i: number) =>
    times === undefined ? [keys[i], valueOf(i)] : [keys[i], valueOf(i), times[i]];
  return (index) => {
    const first = starts[index] as number;
    return Array.from({ length: counts[index] as number }, (_, i) => entryOf(first + i));
  };
}

const FIRST_ROOM = 16;

/**
 * Values on their way into a snapshot. The fields of flat objects of one shape go into a list each, numbers without an object of
 * their own: that takes a fraction of the time, and leaves the garbage collector nothing to walk through.
 *
 * VD1 what is added shares no memory with the value.
 */
export class ValuesDraft {
  readonly #copyOf: (value: unknown) => unknown;
  #shape: ValueShape | null = null;
  /** While all are arrays of numbers. */
  #runs: NumberRuns | null = null;
  #columns: FieldColumn[] = [];
  /** Copies, where values have no shape in common. */
  #copies: unknown[] = [];
  #size = 0;
  /** The values that columns reach to. */
  #room = FIRST_ROOM;
  #newColumn = (): Float64Array => new Float64Array(this.#room);

  constructor(copyOf: (value: unknown) => unknown) {
    this.#copyOf = copyOf;
  }

  /** Takes room for so many values, with those that are there. */
  reserve(count: number, arrays: ArraySource): void {
    this.#room = count;
    this.#newColumn = () => arrays.float64(count);
    this.#columns = this.#columns.map((column) => {
      if (Array.isArray(column)) return grownColumns([column], count)[0] as FieldColumn;
      const numbers = this.#newColumn();
      numbers.set(column.subarray(0, this.#size));
      return numbers;
    });
  }

  add(value: unknown): void {
    const index = this.#size++;
    if (index === 0) {
      this.#choose(ValueShape.ofValue(value));
      if (Array.isArray(value)) this.#runs = new NumberRuns();
    }
    if (this.#runs !== null) {
      if (this.#runs.add(value)) return;
      const runOf = runReader(this.#runs.stored());
      for (let i = 0; i < index; i++) this.#copies.push(runOf(i));
      this.#runs = null;
    }
    if (this.#shape !== null) {
      if (index >= this.#room) this.#grow();
      if (this.#shape.takeApart(value, this.#columns, index)) return;
      this.#giveUpShape(this.#shape, index);
    }
    this.#copies.push(this.#copyOf(value));
  }

  /** Adds the values of some slots, which all have one. There must be room for them. */
  addAll(values: SlotValues, slots: Int32Array): void {
    if (this.#size === 0) this.#choose(values.shape);
    if (this.#shape === null || this.#shape.names !== values.shape?.names) {
      for (const slot of slots) this.add(values.get(slot));
      return;
    }
    for (let f = 0; f < this.#columns.length; f++)
      this.#columns[f] = gathered(values.column(f), slots, this.#columns[f] as FieldColumn, this.#size);
    this.#size += slots.length;
  }

  stored(arrays: ArraySource = newArrays): StoredValues {
    if (this.#runs !== null) return this.#runs.stored(arrays);
    if (this.#shape === null) return storedList(this.#copies, this.#size, arrays);
    const lists = this.#shape.names.map(
      (name, f) => [name, storedList(this.#columns[f] as FieldColumn, this.#size, arrays)] as const,
    );
    return { fields: Object.fromEntries(lists) };
  }

  #choose(shape: ValueShape | null): void {
    this.#shape = shape;
    this.#columns = shape?.names.map(() => this.#newColumn()) ?? [];
  }

  #grow(): void {
    this.#room = Math.max(FIRST_ROOM, this.#room * 2);
    this.#columns = grownColumns(this.#columns, this.#room);
  }

  #giveUpShape(shape: ValueShape, count: number): void {
    for (let i = 0; i < count; i++) this.#copies.push(shape.putTogether(this.#columns, i));
    this.#shape = null;
    this.#columns = [];
  }
}

/** Lists of entries on their way into a snapshot, entry by entry. */
export class EntriesDraft {
  readonly #counts: number[] = [];
  readonly #keys: unknown[] = [];
  readonly #values: ValuesDraft;
  readonly #times: number[] = [];
  /** Entries of the lists that are closed. */
  #closed = 0;

  constructor(copyOf: (value: unknown) => unknown) {
    this.#values = new ValuesDraft(copyOf);
  }

  /** @param time of all entries or none */
  add(key: unknown, value: unknown, time?: number): void {
    this.#keys.push(key);
    this.#values.add(value);
    if (time !== undefined) this.#times.push(time);
  }

  /** Entries that were added. */
  get size(): number {
    return this.#keys.length;
  }

  /** What was added since the last one is a list. */
  close(): void {
    this.#counts.push(this.size - this.#closed);
    this.#closed = this.size;
  }

  /** Takes room for so many entries, with those that are there. */
  reserve(count: number, arrays: ArraySource): void {
    this.#values.reserve(Math.max(count, this.size), arrays);
  }

  stored(arrays: ArraySource = newArrays): StoredValues {
    const keys = storedList(this.#keys, this.size, arrays);
    const values = this.#values.stored(arrays);
    const counts = arrays.int32(this.#counts.length);
    counts.set(this.#counts);
    if (this.#times.length === 0) return { counts, keys, values };
    return { counts, keys, values, times: storedList(this.#times, this.size, arrays) };
  }
}

/** What a column has for some slots, put into another one from `start` on, which becomes a list where it must. */
function gathered(from: FieldColumn, slots: Int32Array, into: FieldColumn, start: number): FieldColumn {
  if (from instanceof Float64Array) gatherNumbers(from, slots, into, start);
  else {
    if (into instanceof Float64Array) into = Array.from(into);
    for (let i = 0; i < slots.length; i++) into[start + i] = from[slots[i] as number];
  }
  return into;
}

/** A loop with nothing else in it: the processor then waits for many cells at once. */
function gatherNumbers(from: Float64Array, slots: Int32Array, into: FieldColumn, start: number): void {
  if (into instanceof Float64Array)
    for (let i = 0; i < slots.length; i++) into[start + i] = from[slots[i] as number] as number;
  else for (let i = 0; i < slots.length; i++) into[start + i] = from[slots[i] as number];
}

/** Numbers as such, anything else as it is. */
function storedList(values: FieldColumn, count: number, arrays: ArraySource): StoredList {
  if (values instanceof Float64Array) return numberList(values.subarray(0, count), arrays);
  // There may be room behind.
  values.length = count;
  if (!values.every((value) => typeof value === 'number')) return values;
  const numbers = arrays.float64(count);
  numbers.set(values as number[]);
  return numberList(numbers, arrays);
}
