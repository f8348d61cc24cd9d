import type { Bytes } from './bytes.ts';

/** Members in the order in which they came. */
export class SetValue {
  readonly kind = 'set';
  readonly #members: Set<Bytes>;
  #bytes: number;

  constructor(from?: SetValue) {
    this.#members = new Set(from?.members);
    this.#bytes = from?.bytes ?? 0;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.#bytes;
  }

  get members(): ReadonlySet<Bytes> {
    return this.#members;
  }

  /** True when the member is new. */
  add(member: Bytes): boolean {
    if (this.#members.has(member)) return false;
    this.#members.add(member);
    this.#bytes += member.length + MEMBER_BYTES;
    return true;
  }

  delete(member: Bytes): boolean {
    if (!this.#members.delete(member)) return false;
    this.#bytes -= member.length + MEMBER_BYTES;
    return true;
  }

  clone(): SetValue {
    return new SetValue(this);
  }
}

const MEMBER_BYTES = 24;
