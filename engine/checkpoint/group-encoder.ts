import { RESET_BUFFER_MODE } from 'msgpackr';
import { STEP_ITEMS, type Steps } from '../state/steps.ts';
import { packr } from './packr.ts';

/** Objects that are taken apart lie no deeper in a group, and have no more fields. */
const [DEPTH_MAX, FIELDS_MAX] = [6, 32];
/** Memory that is kept for the next group. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Encodes group after group as msgpack, each list of many items in steps, into memory that is used again. msgpack is made of pieces
 * that follow one another, so those may be packed one by one: the fields of objects, and runs of a list's items.
 */
export class GroupEncoder {
  #target: Buffer = Buffer.alloc(0);
  #length = 0;

  /** What it gives is good until the next call. The group must not change meanwhile. */
  *encode(group: unknown): Steps<Uint8Array> {
    if (this.#target.length > KEPT_BYTES_MAX) this.#target = Buffer.alloc(0);
    this.#length = 0;
    yield* this.#write(group, 0);
    return this.#target.subarray(0, this.#length);
  }

  *#write(value: unknown, depth: number): Steps<void> {
    if (Array.isArray(value) && value.length > STEP_ITEMS) {
      this.#header(ARRAY, value.length);
      for (let from = 0; from < value.length; from += STEP_ITEMS) {
        const run: readonly unknown[] = value.slice(from, from + STEP_ITEMS);
        this.#pack(run, headerBytes(run.length));
        yield;
      }
    } else if (depth < DEPTH_MAX && isRecord(value)) {
      const fields = Object.entries(value);
      this.#header(MAP, fields.length);
      for (const [name, field] of fields) {
        this.#pack(name, 0);
        yield* this.#write(field, depth + 1);
      }
    } else this.#pack(value, 0);
  }

  /** @param from packed bytes that are left out */
  #pack(value: unknown, from: number): void {
    const packed = packr.pack(value, RESET_BUFFER_MODE);
    this.#reserve(packed.length);
    this.#length += packed.copy(this.#target, this.#length, from);
  }

  #header({ short, long }: Header, count: number): void {
    this.#reserve(HEADER_BYTES_MAX);
    const bytes = headerBytes(count);
    if (bytes === 1) this.#target[this.#length] = short | count;
    else {
      this.#target[this.#length] = bytes === 3 ? long : long + 1;
      this.#target.writeUIntBE(count, this.#length + 1, bytes - 1);
    }
    this.#length += bytes;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#target.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(1024, this.#target.length * 2, this.#length + bytes));
    this.#target.copy(grown, 0, 0, this.#length);
    this.#target = grown;
  }
}

/** First bytes of a list or map: with a count below 16 in it, and before a count of two bytes; the next before one of four. */
interface Header {
  readonly short: number;
  readonly long: number;
}

const ARRAY: Header = { short: 0x90, long: 0xdc };
const MAP: Header = { short: 0x80, long: 0xde };
const HEADER_BYTES_MAX = 5;

function headerBytes(count: number): number {
  if (count < 0x10) return 1;
  return count < 0x10000 ? 3 : HEADER_BYTES_MAX;
}

/** An object of few fields, which may be large. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || value.constructor !== Object) return false;
  if ('toJSON' in value) return false;
  return Object.keys(value).length <= FIELDS_MAX;
}
