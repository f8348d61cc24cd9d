/**
 * A snapshot's key groups, each made when it is asked for: what many keys have is in memory one group at a time. Asked again, a group
 * is made again.
 */
export class LazyGroups<Group> implements ReadonlyMap<number, Group> {
  readonly #numbers: ReadonlySet<number>;
  readonly #make: (number: number) => Group;

  constructor(numbers: Iterable<number>, make: (number: number) => Group) {
    this.#numbers = new Set(numbers);
    this.#make = make;
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
