import { type ArraySource, newArrays } from './array-source.ts';
import { type NumberList, numberList } from './number-list.ts';

/** Arrays of numbers alone: how long each is, and what is in them, one behind another. */
export interface StoredRuns {
  readonly lengths: NumberList;
  readonly items: NumberList;
}

/** Gives stored arrays by their index. */
export function runReader({ lengths, items }: StoredRuns): (index: number) => number[] {
  const starts = startsOf(lengths);
  return (index) => Array.from(items.subarray(starts[index], starts[index + 1]));
}

/** Where each begins of some that lie behind one another, and where the last one ends. */
export function startsOf(lengths: NumberList): Float64Array {
  const starts = new Float64Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) starts[i + 1] = (starts[i] as number) + (lengths[i] as number);
  return starts;
}

/** Arrays of numbers on their way into a snapshot, which a copy without objects takes a fraction of the time for. */
export class NumberRuns {
  readonly #lengths: number[] = [];
  #items = new Float64Array(64);
  #used = 0;

  /** Copies an array; false, with nothing done, when it is none or has something else in it. */
  add(value: unknown): boolean {
    if (!Array.isArray(value) || Object.getPrototypeOf(value) !== Array.prototype) return false;
    const array = value as readonly unknown[];
    if (this.#used + array.length > this.#items.length) this.#grow(this.#used + array.length);
    const items = this.#items;
    let at = this.#used;
    for (let i = 0; i < array.length; i++) {
      const item = array[i];
      if (typeof item !== 'number') return false;
      items[at++] = item;
    }
    this.#used = at;
    this.#lengths.push(array.length);
    return true;
  }

  stored(arrays: ArraySource = newArrays): StoredRuns {
    const lengths = arrays.int32(this.#lengths.length);
    lengths.set(this.#lengths);
    return { lengths, items: numberList(this.#items.subarray(0, this.#used), arrays) };
  }

  #grow(length: number): void {
    const items = new Float64Array(Math.max(2 * this.#items.length, length));
    items.set(this.#items.subarray(0, this.#used));
    this.#items = items;
  }
}
