import type { Bytes } from './bytes.ts';

export interface ScoredMember {
  readonly score: number;
  readonly member: Bytes;
}

/** Members by score, then by bytes. */
export class SortedSetValue {
  readonly kind = 'zset';
  readonly #scores: Map<Bytes, number>;
  readonly #ordered: ScoredMember[];
  #bytes: number;

  constructor(from?: SortedSetValue) {
    this.#scores = new Map(from?.scores);
    this.#ordered = from === undefined ? [] : [...from.#ordered];
    this.#bytes = from?.bytes ?? 0;
  }

  get size(): number {
    return this.#ordered.length;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.#bytes;
  }

  get scores(): ReadonlyMap<Bytes, number> {
    return this.#scores;
  }

  get ordered(): readonly ScoredMember[] {
    return this.#ordered;
  }

  set(member: Bytes, score: number): void {
    this.delete(member);
    this.#scores.set(member, score);
    this.#ordered.splice(this.#rank(score, member), 0, { score, member });
    this.#bytes += member.length + MEMBER_BYTES;
  }

  delete(member: Bytes): boolean {
    const score = this.#scores.get(member);
    if (score === undefined) return false;
    this.#scores.delete(member);
    this.#ordered.splice(this.#rank(score, member), 1);
    this.#bytes -= member.length + MEMBER_BYTES;
    return true;
  }

  clone(): SortedSetValue {
    return new SortedSetValue(this);
  }

  /** Where the member stands, or would. */
  #rank(score: number, member: Bytes): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#ordered[middle] as ScoredMember;
      if (at.score < score || (at.score === score && at.member < member)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const MEMBER_BYTES = 40;
