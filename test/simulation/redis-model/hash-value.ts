import type { Bytes } from './bytes.ts';

/** Fields in the order in which they were first set, as a small hash of the server has them. */
export class HashValue {
  readonly kind = 'hash';
  readonly #fields: Map<Bytes, Bytes>;
  #bytes: number;

  constructor(from?: HashValue) {
    this.#fields = new Map(from?.entries());
    this.#bytes = from?.bytes ?? 0;
  }

  get size(): number {
    return this.#fields.size;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.#bytes;
  }

  get(field: Bytes): Bytes | null {
    return this.#fields.get(field) ?? null;
  }

  has(field: Bytes): boolean {
    return this.#fields.has(field);
  }

  /** True when the field is new. */
  set(field: Bytes, value: Bytes): boolean {
    const before = this.#fields.get(field);
    this.#fields.set(field, value);
    this.#bytes += value.length - (before?.length ?? -(field.length + FIELD_BYTES));
    return before === undefined;
  }

  delete(field: Bytes): boolean {
    const value = this.#fields.get(field);
    if (value === undefined) return false;
    this.#fields.delete(field);
    this.#bytes -= field.length + value.length + FIELD_BYTES;
    return true;
  }

  entries(): Iterable<readonly [Bytes, Bytes]> {
    return this.#fields.entries();
  }

  clone(): HashValue {
    return new HashValue(this);
  }
}

const FIELD_BYTES = 24;
