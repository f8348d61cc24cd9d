import type { Bytes } from './bytes.ts';

/** One immutable string. */
export class StringValue {
  readonly kind = 'string';
  readonly text: Bytes;

  constructor(text: Bytes) {
    this.text = text;
  }

  /** Never dropped for being empty, as the empty string is a value. */
  get size(): number {
    return 1;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.text.length;
  }

  clone(): StringValue {
    return this;
  }
}
