/**
 * Tells which entries of a sliding list, newest first, are new since the last look.
 * FE1 an entry is fresh once, however often it is seen. Entries that slide out between two looks are missed; whoever counts them
 * therefore looks on every change of the job, not only when somebody asks.
 */
export class FreshEntries<T> {
  readonly #identityOf: (entry: T) => string;
  #seen: ReadonlySet<string> = new Set();

  /** @param identityOf tells entries apart for as long as the list holds them */
  constructor(identityOf: (entry: T) => string) {
    this.#identityOf = identityOf;
  }

  of(entries: readonly T[]): readonly T[] {
    const seen = new Set(entries.map(this.#identityOf));
    const fresh = entries.filter((entry) => !this.#seen.has(this.#identityOf(entry)));
    this.#seen = seen;
    return fresh;
  }
}
