import { type ArraySource, newArrays } from './array-source.ts';
import { finish, type Steps } from './steps.ts';

/** Makes one group, step by step, with the arrays in it from `arrays`. */
type MakeGroup<Group> = (number: number, arrays: ArraySource) => Steps<Group>;

/**
 * A snapshot's key groups, each made when it is asked for: what many keys have is in memory one group at a time. Asked again, a group
 * is made again.
 */
export class LazyGroups<Group> implements ReadonlyMap<number, Group> {
  readonly #numbers: ReadonlySet<number>;
  readonly #make: (number: number) => Group;
  #makeInSteps: MakeGroup<Group> | null = null;

  constructor(numbers: Iterable<number>, make: (number: number) => Group) {
    this.#numbers = new Set(numbers);
    this.#make = make;
  }

  /** Groups with so many keys that they are better made step by step. */
  static inSteps<Group>(numbers: Iterable<number>, make: MakeGroup<Group>): LazyGroups<Group> {
    const groups = new LazyGroups<Group>(numbers, (number) => finish(make(number, newArrays)));
    groups.#makeInSteps = make;
    return groups;
  }

  /** One of its groups in the making. Between two steps records may go on. The group is good as long as the arrays are. */
  *making(number: number, arrays: ArraySource): Steps<Group> {
    return this.#makeInSteps === null ? this.#make(number) : yield* this.#makeInSteps(number, arrays);
  }

  get size(): number {
    return this.#numbers.size;
  }

  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  get(number: number): Group | undefined {
    return this.#numbers.has(number) ? this.#make(number) : undefined;
  }

  keys(): MapIterator<number> {
    return this.#numbers.values();
  }

  *values(): MapIterator<Group> {
    for (const number of this.#numbers) yield this.#make(number);
  }

  *entries(): MapIterator<[number, Group]> {
    for (const number of this.#numbers) yield [number, this.#make(number)];
  }

  [Symbol.iterator](): MapIterator<[number, Group]> {
    return this.entries();
  }

  forEach(visit: (group: Group, number: number, groups: ReadonlyMap<number, Group>) => void): void {
    for (const [number, group] of this) visit(group, number, this);
  }
}
