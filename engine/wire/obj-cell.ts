import { Packr, Unpackr } from 'msgpackr';
import { LIMITS } from '../base/limits.ts';

/** How deep values may nest inside an `obj` cell. */
export const CELL_DEPTH_MAX = 64;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

/** The msgpack bytes of a value that {@link objCellBytes} accepts. The result is a copy. */
export function packObjCell(value: unknown): Uint8Array {
  return packr.pack(value);
}

/**
 * The value of msgpack bytes from anywhere, or undefined when they are not one value of the kinds below. The structure
 * is walked first, so that no extension of msgpackr (shared records, regular expressions, typed arrays) is reachable.
 */
export function unpackObjCell(bytes: Uint8Array): { readonly value: unknown } | undefined {
  if (walk(bytes, 0, 0) !== bytes.length) return undefined;
  try {
    return { value: unpackr.unpack(bytes) };
  } catch {
    return undefined;
  }
}

/**
 * Packed size of a value, rounded up; or, as text, why the value would not come back as it went in. Accepted: null,
 * booleans, numbers (−0 comes back as 0), 64-bit bigints, well-formed strings, Uint8Array, valid Date, undefined inside
 * arrays and objects, arrays and plain objects of these.
 */
export function objCellBytes(value: unknown, depth = 0): number | string {
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'undefined':
      return 3;
    case 'number':
      return 9;
    case 'bigint':
      return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
        ? 9
        : 'it holds a bigint beyond 64 bits';
    case 'string':
      return value.isWellFormed() ? 5 + Buffer.byteLength(value) : 'it holds a string with a lone surrogate';
    case 'object':
      return value === null ? 1 : containerBytes(value, depth);
    default:
      return `it holds a ${typeof value}`;
  }
}

function containerBytes(value: object, depth: number): number | string {
  if (depth >= CELL_DEPTH_MAX) return `it nests deeper than ${CELL_DEPTH_MAX} levels or in a circle`;
  if (value instanceof Uint8Array) return 5 + value.length;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'it holds an invalid Date' : 15;
  let bytes = 5;
  if (Array.isArray(value)) {
    for (const item of value) {
      const inner = objCellBytes(item, depth + 1);
      if (typeof inner === 'string') return inner;
      bytes += inner;
      if (bytes > LIMITS.cellBytesMax) return bytes;
    }
    return bytes;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return 'it holds an instance of a class';
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') return "it holds the key '__proto__'";
    const name = objCellBytes(key);
    const inner = objCellBytes(item, depth + 1);
    if (typeof name === 'string') return name;
    if (typeof inner === 'string') return inner;
    bytes += name + inner;
    if (bytes > LIMITS.cellBytesMax) return bytes;
  }
  return bytes;
}

/** Position after the msgpack value at `at`, or NaN when it is not whole, too deep, or not of an accepted kind. */
function walk(bytes: Uint8Array, at: number, depth: number): number {
  const tag = bytes[at];
  if (tag === undefined) return Number.NaN;
  if (tag < 0x80 || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) return at + 1;
  if (tag < 0x90) return walkItems(bytes, at + 1, (tag & 15) * 2, depth, true);
  if (tag < 0xa0) return walkItems(bytes, at + 1, tag & 15, depth, false);
  if (tag < 0xc0) return skip(bytes, at + 1, tag & 31);
  const head = HEAD_BYTES[tag];
  if (head === undefined || at + 1 + head > bytes.length) return Number.NaN;
  let length = 0;
  for (let i = 0; i < head; i++) length = length * 256 + (bytes[at + 1 + i] as number);
  const next = at + 1 + head;
  if (tag >= 0xde) return walkItems(bytes, next, length * 2, depth, true);
  if (tag >= 0xdc) return walkItems(bytes, next, length, depth, false);
  return walkScalar(bytes, tag, next, length);
}

function walkScalar(bytes: Uint8Array, tag: number, next: number, length: number): number {
  const fixed = FIXED_BYTES[tag];
  if (fixed !== undefined) return skip(bytes, next, fixed);
  if (tag === 0xc7) return bytes[next] === TIMESTAMP && length === 12 ? skip(bytes, next, 13) : Number.NaN;
  if (tag === 0xd4) return bytes[next] === UNDEFINED ? skip(bytes, next, 2) : Number.NaN;
  if (tag === 0xd6) return bytes[next] === TIMESTAMP ? skip(bytes, next, 5) : Number.NaN;
  if (tag === 0xd7) return bytes[next] === TIMESTAMP ? skip(bytes, next, 9) : Number.NaN;
  return skip(bytes, next, length);
}

/** Elements of an array, or keys and values of a map in turn; keys must be strings. */
function walkItems(bytes: Uint8Array, start: number, count: number, depth: number, map: boolean): number {
  if (depth >= CELL_DEPTH_MAX || count > bytes.length - start) return Number.NaN;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (map && (i & 1) === 0 && !isText(bytes[at])) return Number.NaN;
    at = walk(bytes, at, depth + 1);
    if (Number.isNaN(at)) return at;
  }
  return at;
}

function isText(tag: number | undefined): boolean {
  return tag !== undefined && ((tag >= 0xa0 && tag < 0xc0) || (tag >= 0xd9 && tag <= 0xdb));
}

function skip(bytes: Uint8Array, at: number, length: number): number {
  return at + length <= bytes.length ? at + length : Number.NaN;
}

const TIMESTAMP = 0xff;
const UNDEFINED = 0x00;
/** Bytes of the length that follows a tag. Tags that are not listed are refused. */
const HEAD_BYTES: Readonly<Record<number, number>> = Object.fromEntries([
  ...[0xc4, 0xc7, 0xd9].map((tag) => [tag, 1]),
  ...[0xc5, 0xda, 0xdc, 0xde].map((tag) => [tag, 2]),
  ...[0xc6, 0xdb, 0xdd, 0xdf].map((tag) => [tag, 4]),
  ...[0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd6, 0xd7].map((tag) => [tag, 0]),
]);
/** Bytes of numbers, after their tag. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
};
