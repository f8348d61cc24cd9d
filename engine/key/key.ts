import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { fmix32, mixRound, murmur3Words, scramble } from '../wire/murmur3.ts';

/** What a record may be keyed by. Objects are refused by type: identity and property order are no keys. */
export type KeyScalar = string | number | boolean | bigint;
export type Key = KeyScalar | readonly KeyScalar[];

/**
 * Canonical encoding of keys, codec 1; frozen in every snapshot.
 *
 * ```text
 * string   0x01  UTF-8 bytes
 * number   0x02  f64 big-endian; -0 is written as 0; NaN is refused
 * boolean  0x03  0x00 | 0x01
 * bigint   0x04  decimal digits in ASCII, with a leading '-' when negative
 * tuple    0x05  u8 count, then per component u32 big-endian length and its encoding
 * ```
 */
export const KEY_CODEC = 1;
/** First byte of an encoded string. */
export const STRING_TAG = 0x01;
/** First byte of an encoded number, and how many there are. */
const NUMBER_TAG = 0x02;
export const NUMBER_KEY_BYTES = 9;
/** First byte of an encoded tuple. */
export const TUPLE_TAG = 0x05;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // a leading U+FEFF is part of the key

/** @throws MR_KEY_INVALID for NaN, undefined, objects, nested tuples, or more than LIMITS.keyBytesMax bytes. */
export function encodeKey(key: Key): Uint8Array {
  const bytes = isTuple(key) ? encodeTuple(key) : encodeScalar(key);
  if (bytes.length > LIMITS.keyBytesMax) throw keyTooLong(bytes.length);
  return bytes;
}

/** {@link encodeKey} of a number, at `start` of `target`. @throws MR_KEY_INVALID for NaN */
export function writeNumberKey(value: number, target: Uint8Array, start: number): void {
  f64[0] = checkedNumber(value);
  target[start] = NUMBER_TAG;
  writeUint32(f64Words[1] as number, target, start + 1);
  writeUint32(f64Words[0] as number, target, start + 5);
}

/** Big-endian, as all of keys. */
export function writeUint32(value: number, target: Uint8Array, start: number): void {
  target[start] = value >>> 24;
  target[start + 1] = value >>> 16;
  target[start + 2] = value >>> 8;
  target[start + 3] = value;
}

/** The key of {@link encodeKey}'s bytes. @throws MR_KEY_INVALID when they are not one. */
export function decodeKey(bytes: Uint8Array): Key {
  if (bytes[0] !== TUPLE_TAG) return decodeScalar(bytes);
  const count = bytes[1] ?? 0;
  if (count === 0) throw notAKey();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: KeyScalar[] = [];
  let at = 2;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw notAKey();
    const length = view.getUint32(at);
    if (at + 4 + length > bytes.length) throw notAKey();
    parts.push(decodeScalar(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  if (at !== bytes.length) throw notAKey();
  return parts;
}

/**
 * 32-bit hash of a key, equal for equal keys in every process: strings MurmurHash3 (seed 0) of their UTF-8, numbers of
 * their 8 canonical bytes (seed 2), booleans 0x03/0x13 mixed, bigints of their digits (seed 4), tuples a murmur fold of their
 * components' hashes. A string component's hash can be taken from a frame's dictionary as it is.
 */
export function hashKey(key: Key): number {
  return isTuple(key) ? hashTuple(key.map(hashScalar)) : hashScalar(key);
}

/** Hash of a tuple from its components' hashes. */
export function hashTuple(hashes: readonly number[]): number {
  let h = 5;
  for (const hash of hashes) h = mixRound(h, hash);
  return fmix32(h ^ (4 * hashes.length));
}

export function hashScalar(value: KeyScalar): number {
  switch (typeof value) {
    case 'string':
      return hashText(value, 0);
    case 'number':
      f64[0] = checkedNumber(value);
      return murmur3Words(f64Words, 0, 8, 2);
    case 'boolean':
      return fmix32(value ? 0x13 : 0x03);
    case 'bigint':
      return hashText(value.toString(), 4);
    default:
      throw invalid(value);
  }
}

/** True for what {@link encodeKey} takes; used where a user's key function returned something. */
export function isKey(value: unknown): value is Key {
  if (Array.isArray(value))
    return value.length > 0 && value.length < 256 && !value.includes(undefined) && value.every(isScalar);
  return isScalar(value);
}

export function isScalar(value: unknown): value is KeyScalar {
  const type = typeof value;
  return (
    type === 'string' || (type === 'number' && value === value) || type === 'boolean' || type === 'bigint'
  );
}

/** The scalar that stands for `value` everywhere: −0 and 0 are one key, and users see 0. */
export function canonicalScalar(value: KeyScalar): KeyScalar {
  return value === 0 ? 0 : value;
}

export function keyTooLong(bytes: number): MillraceError {
  return new MillraceError(
    'MR_KEY_INVALID',
    `A key has ${bytes} bytes, at most ${LIMITS.keyBytesMax} are allowed.`,
  );
}

/** What a message says of something that is no key; never fails, whatever it is. */
export function describeKey(value: unknown): string {
  if (value === null || value === undefined || isScalar(value) || typeof value === 'number')
    return String(value);
  return Array.isArray(value) ? `a list of ${value.length}` : `a value of type ${typeof value}`;
}

const f64 = new Float64Array(1);
/** Little endian, as everywhere here: the low word comes first. */
const f64Words = new Int32Array(f64.buffer);
let scratch = new Uint8Array(1024);
let scratchWords = new Int32Array(scratch.buffer);

/** Strings up to here are hashed as they are read, while they are ASCII: encoding them costs more than hashing. */
const READ_LENGTH_MAX = 64;

function hashText(text: string, seed: number): number {
  const { length } = text;
  if (length > READ_LENGTH_MAX) return hashEncoded(text, seed);
  let h = seed;
  let seen = 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    seen |= a | b | c | d;
    h = mixRound(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  if (at < length) {
    let word = 0;
    for (let shift = 0; at < length; at++, shift += 8) {
      const code = text.charCodeAt(at);
      seen |= code;
      word |= code << shift;
    }
    h ^= scramble(word);
  }
  return seen < 0x80 ? fmix32(h ^ length) : hashEncoded(text, seed);
}

function hashEncoded(text: string, seed: number): number {
  if (text.length * 3 + 4 > scratch.length) {
    scratch = new Uint8Array((text.length * 3 + 1027) & ~1023);
    scratchWords = new Int32Array(scratch.buffer);
  }
  const { written } = encoder.encodeInto(text, scratch);
  scratch.fill(0, written, (written + 3) & ~3);
  return murmur3Words(scratchWords, 0, written, seed);
}

function isTuple(key: Key): key is readonly KeyScalar[] {
  return Array.isArray(key);
}

function checkedNumber(value: number): number {
  if (Number.isNaN(value)) throw invalid(value);
  return value === 0 ? 0 : value;
}

function encodeScalar(value: KeyScalar): Uint8Array {
  switch (typeof value) {
    case 'string':
      return tagged(STRING_TAG, encoder.encode(value));
    case 'number': {
      const bytes = new Uint8Array(NUMBER_KEY_BYTES);
      writeNumberKey(value, bytes, 0);
      return bytes;
    }
    case 'boolean':
      return Uint8Array.of(0x03, value ? 1 : 0);
    case 'bigint':
      return tagged(0x04, encoder.encode(value.toString()));
    default:
      throw invalid(value);
  }
}

function encodeTuple(parts: readonly KeyScalar[]): Uint8Array {
  if (parts.length === 0 || parts.length > 255) throw invalid(parts);
  const encoded = parts.map(encodeScalar);
  const bytes = new Uint8Array(encoded.reduce((sum, part) => sum + 4 + part.length, 2));
  const view = new DataView(bytes.buffer);
  bytes[0] = TUPLE_TAG;
  bytes[1] = parts.length;
  let at = 2;
  for (const part of encoded) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

function decodeScalar(bytes: Uint8Array): KeyScalar {
  const body = bytes.subarray(1);
  switch (bytes[0]) {
    case STRING_TAG:
      return decodeText(body);
    case NUMBER_TAG: {
      if (body.length !== 8) throw notAKey();
      const value = new DataView(body.buffer, body.byteOffset, 8).getFloat64(0);
      if (Number.isNaN(value) || Object.is(value, -0)) throw notAKey();
      return value;
    }
    case 0x03:
      if (body.length !== 1 || (body[0] as number) > 1) throw notAKey();
      return body[0] === 1;
    case 0x04: {
      const digits = decodeText(body);
      if (!/^(?:0|-?[1-9][0-9]*)$/.test(digits)) throw notAKey();
      return BigInt(digits);
    }
    default:
      throw notAKey();
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw notAKey();
  }
}

function tagged(tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = tag;
  bytes.set(body, 1);
  return bytes;
}

function invalid(value: unknown): MillraceError {
  return new MillraceError(
    'MR_KEY_INVALID',
    `A key must be a string, a number other than NaN, a boolean, a bigint, or a list of these; got ${describeKey(value)}.`,
  );
}

function notAKey(): MillraceError {
  return new MillraceError('MR_KEY_INVALID', 'Stored bytes are no canonical key.');
}
