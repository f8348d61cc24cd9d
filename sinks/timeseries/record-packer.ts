import type { StoredPoint } from './series-layout.ts';

/**
 * Packs records of a page's field, as the script that writes them describes them: `<bytes of the series key> <bytes of the point> `, the
 * key in UTF-8 and the point in msgpack, `[end, { field: value, … }]`. Points of one series have the same fields, so these are encoded
 * once.
 */
export class RecordPacker {
  #bytes: Buffer;
  #length: number;

  /** @param records to begin with */
  constructor(records: Buffer = NONE) {
    this.#bytes = records;
    this.#length = records.length;
  }

  /** Bytes of the records so far. */
  get length(): number {
    return this.#length;
  }

  add(keyText: string, end: number, values: StoredPoint['values']): void {
    if (!hasShape(values, shape.names)) shape = shapeOf(Object.keys(values));
    const { names, lengthDigits, pointBytesMax } = shape;
    this.#reserve(2 * NUMBER_DIGITS_MAX + 3 * keyText.length + pointBytesMax);
    const lengthAt = this.#key(keyText);
    const pointAt = this.#length;
    this.#head(end);
    for (let i = 0; i < names.length; i++) this.#field(i, values[names[i] as string] as number | null);
    this.#number(this.#length - pointAt, lengthAt, lengthDigits);
  }

  /** The records added since the last call. */
  take(): Buffer {
    const records = this.#bytes.subarray(0, this.#length);
    this.#bytes = NONE;
    this.#length = 0;
    return records;
  }

  /** Takes out the records from one byte up to another. */
  cut(from: number, to: number): RecordPacker {
    const records = Buffer.from(this.#bytes.subarray(from, to));
    this.#bytes.copyWithin(from, to, this.#length);
    this.#length -= to - from;
    return new RecordPacker(records);
  }

  /** Writes everything in front of the point; gives where its length belongs, which is not known yet. */
  #key(keyText: string): number {
    const keyBytes = Buffer.byteLength(keyText);
    const keyDigits = digitsOf(keyBytes);
    this.#number(keyBytes, this.#length, keyDigits);
    const lengthAt = this.#length + keyDigits + 1;
    this.#bytes[lengthAt - 1] = SPACE;
    const keyAt = lengthAt + shape.lengthDigits + 1;
    this.#bytes[keyAt - 1] = SPACE;
    if (keyBytes === keyText.length)
      for (let i = 0; i < keyBytes; i++) this.#bytes[keyAt + i] = keyText.charCodeAt(i);
    else this.#bytes.write(keyText, keyAt);
    this.#length = keyAt + keyBytes;
    return lengthAt;
  }

  #head(end: number): void {
    this.#bytes[this.#length++] = ARRAY_OF_TWO;
    this.#double(end);
    this.#copy(shape.mapHead);
  }

  #field(i: number, value: number | null): void {
    this.#copy(shape.encoded[i] as Uint8Array);
    if (value === null) this.#bytes[this.#length++] = NIL;
    else if (value >= 0 && value < 128 && (value | 0) === value && !Object.is(value, -0))
      this.#bytes[this.#length++] = value;
    else this.#double(value);
  }

  #double(value: number): void {
    this.#bytes[this.#length] = FLOAT_64;
    DOUBLE[0] = value;
    for (let i = 0; i < 8; i++) this.#bytes[this.#length + 8 - i] = DOUBLE_BYTES[i] as number; // big-endian
    this.#length += 9;
  }

  #copy(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#bytes[this.#length + i] = bytes[i] as number;
    this.#length += bytes.length;
  }

  /** Decimal digits at `at`, with zeros in front. */
  #number(value: number, at: number, digits: number): void {
    for (let i = digits - 1, left = value; i >= 0; i--, left = Math.floor(left / 10))
      this.#bytes[at + i] = ZERO + (left % 10);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more, FIRST_BYTES));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

const NONE = Buffer.alloc(0);
/** Some ten points of a handful of values. */
const FIRST_BYTES = 1_024;
const SPACE = 0x20;
const ZERO = 0x30;
const ARRAY_OF_TWO = 0x92;
const NIL = 0xc0;
const FLOAT_64 = 0xcb;
/** Of a length and the space behind it. */
const NUMBER_DIGITS_MAX = 17;
const DOUBLE = new Float64Array(1);
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer);

interface Shape {
  readonly names: readonly string[];
  /** The names as msgpack. */
  readonly encoded: readonly Uint8Array[];
  readonly mapHead: Uint8Array;
  readonly pointBytesMax: number;
  /** How the length of a point is written: with zeros in front, so that it can be filled in. */
  readonly lengthDigits: number;
}

function shapeOf(names: readonly string[]): Shape {
  const encoded = names.map((name) => packedText(Buffer.from(name)));
  const count = names.length;
  const mapHead = count < 16 ? [0x80 | count] : [0xde, count >>> 8, count & 0xff];
  const pointBytesMax = 10 + mapHead.length + encoded.reduce((sum, name) => sum + name.length + 9, 0);
  return {
    names,
    encoded,
    mapHead: Uint8Array.from(mapHead),
    pointBytesMax,
    lengthDigits: digitsOf(pointBytesMax),
  };
}

/** Of the last point. */
let shape = shapeOf([]);

/** True when the values have exactly these names, in this order. */
function hasShape(values: StoredPoint['values'], names: readonly string[]): boolean {
  let i = 0;
  for (const name in values) if (names[i++] !== name) return false;
  return i === names.length;
}

function packedText(text: Buffer): Uint8Array {
  const { length } = text;
  const head =
    length < 32 ? [0xa0 | length] : length < 256 ? [0xd9, length] : [0xda, length >>> 8, length & 0xff];
  return Uint8Array.from([...head, ...text]);
}

function digitsOf(value: number): number {
  return value < 10 ? 1 : value < 100 ? 2 : String(value).length;
}
