import { LIMITS } from '../base/limits.ts';
import { MillraceError } from '../base/errors.ts';

/**
 * Counts how many attempts each record has made fail, by the fingerprint that its error carries (`details.record`). Bounded: beyond
 * LIMITS.poisonCandidatesMax the ones seen longest ago are forgotten.
 */
export class PoisonRecords {
  readonly #after: number;
  readonly #failures = new Map<string, number>();

  /** @param after attempts that a record may fail before it is set aside; Infinity: never */
  constructor(after: number) {
    this.#after = after;
  }

  /** An attempt has failed. */
  note(error: unknown): void {
    const record = error instanceof MillraceError ? error.details['record'] : undefined;
    if (typeof record !== 'string' || this.#after === Number.POSITIVE_INFINITY) return;
    const failures = (this.#failures.get(record) ?? 0) + 1;
    this.#failures.delete(record);
    this.#failures.set(record, failures);
    if (this.#failures.size > LIMITS.poisonCandidatesMax)
      this.#failures.delete(this.#failures.keys().next().value as string);
  }

  /** Fingerprints of the records that the next attempt sets aside. */
  poisoned(): readonly string[] {
    return [...this.#failures].flatMap(([record, failures]) => (failures >= this.#after ? [record] : []));
  }
}
