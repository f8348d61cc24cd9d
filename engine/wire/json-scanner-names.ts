import { type JsonCursor, QUOTE } from './json-scanner-cursor.ts';
import type { Schema } from './schema.ts';

/** A key that names no field. */
export const UNKNOWN_FIELD = -1;
/** A key that only JSON.parse can read, or none at all. */
export const UNUSUAL_KEY = -2;

/** Finds fields by the bytes of their names as JSON writes them. */
export class JsonNames {
  /** Per field its name's bytes, or null when it never appears without escapes. */
  readonly bytes: readonly (Buffer | null)[];
  readonly #byLength: number[][] = [];

  constructor({ fields }: Schema) {
    this.bytes = fields.map(({ name }) => plainBytes(name));
    for (const [f, bytes] of this.bytes.entries()) {
      if (bytes !== null) (this.#byLength[bytes.length] ??= []).push(f);
    }
  }

  /** Reads the key at the cursor: the index of its field, {@link UNKNOWN_FIELD} or {@link UNUSUAL_KEY}. */
  find(cursor: JsonCursor): number {
    const { bytes, at } = cursor;
    let end = at + 1;
    let seen = 0;
    for (let c = bytes[end] as number; c !== QUOTE; c = bytes[++end] as number) {
      if (!(c >= 0x20) || c === 0x5c) return UNUSUAL_KEY;
      seen |= c;
    }
    cursor.at = end + 1;
    for (const f of this.#byLength[end - at - 1] ?? []) {
      if (equal(this.bytes[f] as Buffer, bytes, at + 1)) return f;
    }
    // Bytes that are no UTF-8 are read as U+FFFD, which a field may be named with.
    return seen < 0x80 ? UNKNOWN_FIELD : UNUSUAL_KEY;
  }
}

function equal(name: Buffer, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[at + i]) return false;
  return true;
}

function plainBytes(name: string): Buffer | null {
  return name.isWellFormed() && JSON.stringify(name) === `"${name}"` ? Buffer.from(name) : null;
}
