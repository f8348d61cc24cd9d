import type { BodyWriter } from '../wire/body-writer.ts';
import { MillraceError } from '../base/errors.ts';
import { binaryNumber, kindOf, VALUE, VALUE_DEPTH_MAX } from './value-kind.ts';

/**
 * Writes any plain value so that it comes back exactly as it was: −0, undefined, holes, lone surrogates, and the order of keys
 * included. (Like structured cloning it leaves out what is not enumerable or has a symbol for its key.) Each value is
 * a byte that says what it is (VALUE), then:
 *
 *     null, undefined, false, true, hole   nothing
 *     int                i32
 *     double, date       f64
 *     text               length, UTF-8
 *     wideText           length, UTF-16, where UTF-8 would not give it back
 *     bigint             u8 1 when negative, length, bytes of its magnitude, highest first
 *     binary             u8 number in BINARIES, length, bytes
 *     array, set         count, values (hole: in arrays only)
 *     object, bareObject count, per member its key (text or wideText) and its value
 *     map                count, per entry its key and its value
 *
 * Lengths (in bytes) and counts are LEB128 of at most 5 bytes.
 * @param where of the value in its record, for messages
 * @throws MR_RECORD_INVALID naming the field that holds what cannot travel; MR_FRAME_TOO_LARGE
 */
export function writeValue(writer: BodyWriter, value: unknown, where = ''): void {
  if (write(writer, value, 0)) return;
  const { path, what } = refusalIn(value, 0) ?? { path: '', what: 'what changes while it is read' };
  const field = joined(where, path);
  const place = field === '' ? `is ${what}` : `holds ${what} in field '${field}'`;
  throw new MillraceError(
    'MR_RECORD_INVALID',
    `A record of an exchange between threads or processes ${place}. Only plain data can travel: give the record a plain form of it in a map before the exchange.`,
    { details: { field } },
  );
}

/** False where something cannot travel. */
function write(writer: BodyWriter, value: unknown, depth: number): boolean {
  const kind = kindOf(value);
  if (typeof kind === 'string' || depth > VALUE_DEPTH_MAX) return false;
  if (kind === VALUE.text) {
    writeText(writer, value as string);
    return true;
  }
  const at = writer.reserve(1);
  writer.bytes[at] = kind;
  switch (kind) {
    case VALUE.int: {
      const to = writer.reserve(4);
      writer.view.setInt32(to, value as number, true);
      return true;
    }
    case VALUE.double:
    case VALUE.date: {
      const to = writer.reserve(8);
      writer.view.setFloat64(to, Number(value), true);
      return true;
    }
    case VALUE.bigint:
      writeBigInt(writer, value as bigint);
      return true;
    case VALUE.binary:
      writeBinary(writer, value as ArrayBuffer | NodeJS.TypedArray);
      return true;
    case VALUE.array:
      return writeArray(writer, value as readonly unknown[], depth);
    case VALUE.object:
    case VALUE.bareObject:
      return writeMembers(writer, value as Readonly<Record<string, unknown>>, depth);
    case VALUE.map:
    case VALUE.set:
      return writeItems(writer, value as Map<unknown, unknown> | Set<unknown>, depth);
    default:
      return true;
  }
}

function writeArray(writer: BodyWriter, items: readonly unknown[], depth: number): boolean {
  writeLength(writer, items.length);
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (item === undefined && !Object.hasOwn(items, i)) {
      const at = writer.reserve(1);
      writer.bytes[at] = VALUE.hole;
    } else if (!write(writer, item, depth + 1)) return false;
  }
  return true;
}

function writeMembers(writer: BodyWriter, value: Readonly<Record<string, unknown>>, depth: number): boolean {
  const keys = Object.keys(value);
  writeLength(writer, keys.length);
  for (const key of keys) {
    writeText(writer, key);
    if (!write(writer, value[key], depth + 1)) return false;
  }
  return true;
}

function writeItems(
  writer: BodyWriter,
  value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>,
  depth: number,
): boolean {
  writeLength(writer, value.size);
  if (value instanceof Set) {
    for (const item of value) if (!write(writer, item, depth + 1)) return false;
    return true;
  }
  for (const [key, item] of value as ReadonlyMap<unknown, unknown>)
    if (!write(writer, key, depth + 1) || !write(writer, item, depth + 1)) return false;
  return true;
}

const encoder = new TextEncoder();
/** Up to here a text is tried as ASCII, char by char, which costs less than the call into the encoder; one byte holds its length. */
const SHORT_TEXT_MAX = 64;

function writeText(writer: BodyWriter, text: string): void {
  if (text.length <= SHORT_TEXT_MAX && writeAscii(writer, text)) return;
  const isWide = !text.isWellFormed();
  const length = isWide ? text.length * 2 : Buffer.byteLength(text);
  const at = writer.reserve(1);
  writer.bytes[at] = isWide ? VALUE.wideText : VALUE.text;
  writeLength(writer, length);
  const start = writer.reserve(length);
  if (!isWide) encoder.encodeInto(text, writer.bytes.subarray(start, start + length));
  else for (let i = 0; i < text.length; i++) writer.view.setUint16(start + 2 * i, text.charCodeAt(i), true);
}

function writeAscii(writer: BodyWriter, text: string): boolean {
  const at = writer.reserve(2 + text.length);
  const { bytes } = writer;
  bytes[at] = VALUE.text;
  bytes[at + 1] = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      writer.length = at;
      return false;
    }
    bytes[at + 2 + i] = unit;
  }
  return true;
}

function writeBigInt(writer: BodyWriter, value: bigint): void {
  const hex = (value < 0n ? -value : value).toString(16);
  const at = writer.reserve(1);
  writer.bytes[at] = value < 0n ? 1 : 0;
  const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  writeLength(writer, magnitude.length);
  writer.append(magnitude);
}

function writeBinary(writer: BodyWriter, value: ArrayBuffer | NodeJS.TypedArray): void {
  const at = writer.reserve(1);
  writer.bytes[at] = binaryNumber(value);
  writeLength(writer, value.byteLength);
  writer.append(
    ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value),
  );
}

function writeLength(writer: BodyWriter, length: number): void {
  let left = length;
  while (left > 0x7f) {
    const at = writer.reserve(1);
    writer.bytes[at] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  const at = writer.reserve(1);
  writer.bytes[at] = left;
}

interface Refusal {
  readonly path: string;
  readonly what: string;
}

/** The first thing in a value that cannot travel. */
function refusalIn(value: unknown, depth: number): Refusal | null {
  const kind = kindOf(value);
  if (typeof kind === 'string') return { path: '', what: kind };
  if (depth > VALUE_DEPTH_MAX)
    return { path: '', what: `values nested deeper than ${VALUE_DEPTH_MAX} levels or in a circle` };
  for (const [key, item] of itemsOf(kind, value)) {
    const refusal = refusalIn(item, depth + 1);
    if (refusal !== null) return { path: joined(key, refusal.path), what: refusal.what };
  }
  return null;
}

function itemsOf(kind: number, value: unknown): Iterable<readonly [string, unknown]> {
  switch (kind) {
    case VALUE.array:
      return (value as readonly unknown[]).map((item, i) => [String(i), item]);
    case VALUE.object:
    case VALUE.bareObject:
      return Object.entries(value as object);
    case VALUE.map:
      return [...(value as ReadonlyMap<unknown, unknown>)].flatMap(([key, item], i) => [
        [`key ${i}`, key],
        [`value ${i}`, item],
      ]);
    case VALUE.set:
      return [...(value as ReadonlySet<unknown>)].map((item, i) => [String(i), item]);
    default:
      return [];
  }
}

function joined(outer: string, inner: string): string {
  if (outer === '' || inner === '') return outer + inner;
  return `${outer}.${inner}`;
}
