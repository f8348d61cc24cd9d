import { reachValue } from './cell-kind.ts';

export type MapKey = string | number;

/** Entries that lie in the map itself. */
const PLACES = 4;

/** Which entry lies in which place, as iterators that are under way know it: until one is taken out. */
interface Arrangement {
  /** Iterators that have not come to their end, of this arrangement and those before. */
  iterators: number;
  taken: number;
  next: Arrangement | null;
}

/**
 * A Map whose first few entries lie in itself, and with more of them a JavaScript Map: that has room for entries that most keys never
 * have, and hashes times in slow code, as they are beyond the numbers that are no objects. And with many keys each list of its own is
 * one more that the processor must wait for.
 *
 * CM1 what can be seen is as of a Map: keys are the same by SameValueZero, entries come in the order in which their keys were set, and an
 *     iterator gives what is added before it ends, and not what is deleted before its turn.
 */
export class CompactMap<V> {
  /** Places taken. With {@link #many}: by its first keys, for iterators that began before; 0 where there are no such iterators. */
  #taken = 0;
  #many: Map<MapKey, V> | null = null;
  #key0: MapKey | undefined = undefined;
  #value0: V | undefined = undefined;
  #key1: MapKey | undefined = undefined;
  #value1: V | undefined = undefined;
  #key2: MapKey | undefined = undefined;
  #value2: V | undefined = undefined;
  #key3: MapKey | undefined = undefined;
  #value3: V | undefined = undefined;
  /** Null while no iterator is under way that began when there were few. */
  #arrangement: Arrangement | null = null;

  get size(): number {
    return this.#many === null ? this.#taken : this.#many.size;
  }

  get(key: MapKey): V | undefined {
    return this.#many === null ? this.#valueAt(this.#placeOf(key)) : this.#many.get(key);
  }

  has(key: MapKey): boolean {
    return this.#many === null ? this.#placeOf(key) >= 0 : this.#many.has(key);
  }

  set(key: MapKey, value: V): void {
    if (this.#many !== null) {
      this.#many.set(key, value);
      return;
    }
    const place = this.#placeOf(key);
    if (place >= 0) this.#put(place, this.#keyAt(place), value);
    else if (this.#taken < PLACES) this.#put(this.#taken++, key === 0 ? 0 : key, value);
    else this.#outgrow().set(key, value);
  }

  /** True when it was there. */
  delete(key: MapKey): boolean {
    const wasThere = this.#many?.delete(key) ?? false;
    const place = this.#placeOf(key);
    if (place < 0) return wasThere;
    const last = --this.#taken;
    for (let i = place; i < last; i++) this.#put(i, this.#keyAt(i + 1), this.#valueAt(i + 1));
    this.#put(last, undefined, undefined);
    if (this.#arrangement !== null) this.#arrangement = rearranged(this.#arrangement, place);
    return true;
  }

  keys(): IterableIterator<MapKey> {
    return this.#many?.keys() ?? this.#iterator((key) => key);
  }

  values(): IterableIterator<V> {
    return this.#many?.values() ?? this.#iterator((_, value) => value);
  }

  entries(): IterableIterator<[MapKey, V]> {
    return this.#many?.entries() ?? this.#iterator((key, value) => [key, value]);
  }

  /** Cheaper, for who changes nothing meanwhile. */
  forEach(visit: (key: MapKey, value: V) => void): void {
    if (this.#many !== null) this.#many.forEach((value, key) => visit(key, value));
    else for (let i = 0; i < this.#taken; i++) visit(this.#keyAt(i) as MapKey, this.#valueAt(i) as V);
  }

  /** Reads what a look-up of the first entry will. Of others it depends whether they are there: to guess wrong costs more than it gives. */
  reach(): number {
    const key = this.#key0;
    return (typeof key === 'number' ? key : 0) + reachValue(this.#value0);
  }

  #outgrow(): Map<MapKey, V> {
    const many = new Map<MapKey, V>();
    this.forEach((key, value) => many.set(key, value));
    for (let i = 0; i < PLACES; i++) this.#put(i, this.#keyAt(i), undefined);
    this.#many = many;
    if (this.#arrangement === null) this.#leavePlaces();
    return many;
  }

  #leavePlaces(): void {
    while (this.#taken > 0) this.#put(--this.#taken, undefined, undefined);
  }

  #iterator<Part>(part: (key: MapKey, value: V) => Part): IterableIterator<Part> {
    let arrangement = (this.#arrangement ??= { iterators: 0, taken: -1, next: null }) as Arrangement | null;
    (arrangement as Arrangement).iterators++;
    let place = 0;
    /** What is left, once it lies in a Map, whose iterators know by themselves what is taken out. */
    let rest: Iterator<[MapKey, V]> = NOTHING;
    const next = (): IteratorResult<Part> => {
      if (arrangement !== null) {
        for (; arrangement.next !== null; arrangement = arrangement.next)
          if (arrangement.taken < place) place--;
        if (this.#many === null && place < this.#taken) {
          const at = place++;
          return { done: false, value: part(this.#keyAt(at) as MapKey, this.#valueAt(at) as V) };
        }
        if (this.#many !== null) rest = behind(this.#many.entries(), place);
        this.#ended(arrangement);
        arrangement = null;
      }
      const { done, value } = rest.next() as IteratorResult<[MapKey, V], undefined>;
      return value === undefined ? { done, value } : { done: false, value: part(value[0], value[1]) };
    };
    return new EntryIterator(next);
  }

  /** One iterator less. */
  #ended(arrangement: Arrangement): void {
    if (--arrangement.iterators > 0) return;
    this.#arrangement = null;
    if (this.#many !== null) this.#leavePlaces();
  }

  /** By SameValueZero; −1 where there is none. */
  #placeOf(key: MapKey): number {
    const taken = this.#taken;
    if (taken > 0 && this.#key0 === key) return 0;
    if (taken > 1 && this.#key1 === key) return 1;
    if (taken > 2 && this.#key2 === key) return 2;
    if (taken > 3 && this.#key3 === key) return 3;
    if (Number.isNaN(key)) for (let i = 0; i < taken; i++) if (Number.isNaN(this.#keyAt(i))) return i;
    return -1;
  }

  #keyAt(place: number): MapKey | undefined {
    if (place === 0) return this.#key0;
    if (place === 1) return this.#key1;
    return place === 2 ? this.#key2 : this.#key3;
  }

  #valueAt(place: number): V | undefined {
    if (place === 0) return this.#value0;
    if (place === 1) return this.#value1;
    if (place === 2) return this.#value2;
    return place === 3 ? this.#value3 : undefined;
  }

  #put(place: number, key: MapKey | undefined, value: V | undefined): void {
    if (place === 0) {
      this.#key0 = key;
      this.#value0 = value;
    } else if (place === 1) {
      this.#key1 = key;
      this.#value1 = value;
    } else if (place === 2) {
      this.#key2 = key;
      this.#value2 = value;
    } else {
      this.#key3 = key;
      this.#value3 = value;
    }
  }
}

/** As those of a Map: without an end of its own that breaking out of a loop would bring about. */
class EntryIterator<Part> implements IterableIterator<Part> {
  readonly next: () => IteratorResult<Part>;

  constructor(next: () => IteratorResult<Part>) {
    this.next = next;
  }

  [Symbol.iterator](): this {
    return this;
  }
}
// With what all iterators can do.
Object.setPrototypeOf(
  EntryIterator.prototype,
  Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object,
);

const NOTHING: Iterator<never> = [].values();

function rearranged(before: Arrangement, taken: number): Arrangement {
  before.taken = taken;
  before.next = { iterators: before.iterators, taken: -1, next: null };
  return before.next;
}

function behind<Item>(items: Iterator<Item>, count: number): Iterator<Item> {
  for (let i = 0; i < count; i++) items.next();
  return items;
}
