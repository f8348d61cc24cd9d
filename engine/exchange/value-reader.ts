import { isUtf8 } from 'node:buffer';
import { corrupt } from '../wire/frame-layout.ts';
import { BINARIES, VALUE, VALUE_DEPTH_MAX } from './value-kind.ts';

/**
 * Reads values one after another from bytes that are not trusted. Nothing is allocated beyond a small multiple of the
 * bytes that are there, and what is read shares no memory with them.
 */
export class ValueReader {
  at: number;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.#end = end;
  }

  /** @throws MR_FRAME_CORRUPT */
  value(): unknown {
    return this.#value(0);
  }

  #value(depth: number): unknown {
    if (depth > VALUE_DEPTH_MAX) throw corrupt(`a value nests deeper than ${VALUE_DEPTH_MAX} levels`);
    const kind = this.#bytes[this.#take(1)] as number;
    switch (kind) {
      case VALUE.null:
        return null;
      case VALUE.undefined:
        return undefined;
      case VALUE.false:
        return false;
      case VALUE.true:
        return true;
      case VALUE.int:
        return this.#bytes.readInt32LE(this.#take(4));
      case VALUE.double:
        return this.#bytes.readDoubleLE(this.#take(8));
      case VALUE.date:
        return new Date(this.#bytes.readDoubleLE(this.#take(8)));
      case VALUE.bigint:
        return this.#bigint();
      case VALUE.binary:
        return this.#binary();
      default:
        return this.#container(kind, depth);
    }
  }

  #container(kind: number, depth: number): unknown {
    switch (kind) {
      case VALUE.text:
      case VALUE.wideText:
        return this.#text(kind);
      case VALUE.array:
        return this.#array(depth);
      case VALUE.object:
        return this.#members({}, depth);
      case VALUE.bareObject:
        return this.#members(Object.create(null) as Record<string, unknown>, depth);
      case VALUE.map:
        return this.#map(depth);
      case VALUE.set:
        return this.#set(depth);
      default:
        throw corrupt(`a value is of kind ${kind}, which there is not`);
    }
  }

  // Containers grow as what they hold comes: claimed counts, one inside the other, would add up.

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    for (let left = this.#length(1); left > 0; left--) {
      if (this.#bytes[this.at] !== VALUE.hole) items.push(this.#value(depth + 1));
      else {
        this.#take(1);
        items.length++;
      }
    }
    return items;
  }

  #map(depth: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (let left = this.#length(2); left > 0; left--) {
      const key = this.#value(depth + 1);
      map.set(key, this.#value(depth + 1));
    }
    return map;
  }

  #set(depth: number): Set<unknown> {
    const set = new Set<unknown>();
    for (let left = this.#length(1); left > 0; left--) set.add(this.#value(depth + 1));
    return set;
  }

  #members(into: Record<string, unknown>, depth: number): Record<string, unknown> {
    for (let left = this.#length(2); left > 0; left--) {
      const key = this.#text(this.#bytes[this.#take(1)] as number);
      const value = this.#value(depth + 1);
      // Assigning it would set the prototype.
      if (key === '__proto__') {
        Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
      } else into[key] = value;
    }
    return into;
  }

  #text(kind: number): string {
    const length = this.#length();
    const start = this.#take(length);
    const end = start + length;
    if (kind === VALUE.wideText && length % 2 === 0) return this.#bytes.toString('utf16le', start, end);
    if (kind !== VALUE.text) throw corrupt('a text is none');
    for (let i = start; i < end; i++) {
      if ((this.#bytes[i] as number) < 0x80) continue;
      const bytes = this.#bytes.subarray(start, end);
      if (!isUtf8(bytes)) throw corrupt('a text is not UTF-8');
      return bytes.toString('utf8');
    }
    return this.#bytes.toString('latin1', start, end);
  }

  #bigint(): bigint {
    const sign = this.#bytes[this.#take(1)] as number;
    const length = this.#length();
    const start = this.#take(length);
    if (length === 0 || sign > 1) throw corrupt('a bigint is none');
    const magnitude = BigInt(`0x${this.#bytes.toString('hex', start, start + length)}`);
    return sign === 1 ? -magnitude : magnitude;
  }

  #binary(): unknown {
    const constructor = BINARIES[this.#bytes[this.#take(1)] as number];
    const length = this.#length();
    const start = this.#take(length);
    if (constructor === undefined) throw corrupt('a binary value is of a kind that there is not');
    const bytes = new Uint8Array(this.#bytes.subarray(start, start + length));
    if (constructor === ArrayBuffer) return bytes.buffer;
    if (constructor === Buffer) return Buffer.from(bytes.buffer);
    const { BYTES_PER_ELEMENT: width } = constructor as Uint8ArrayConstructor;
    if (length % width !== 0) throw corrupt('a binary value ends within an element');
    return new (constructor as Uint8ArrayConstructor)(bytes.buffer);
  }

  /** A length or count; each of what it counts takes at least `widthMin` bytes. */
  #length(widthMin = 1): number {
    let length = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)] as number;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      if (length * widthMin > this.#end - this.at) break;
      return length;
    }
    throw corrupt('a length reaches beyond its section');
  }

  #take(bytes: number): number {
    const { at } = this;
    if (bytes > this.#end - at) throw corrupt('a value is cut off');
    this.at = at + bytes;
    return at;
  }
}
