/** Kinds of values that travel, with the byte that leads each (value-writer.ts draws what follows it). */
export const VALUE = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  int: 4,
  double: 5,
  text: 6,
  wideText: 7,
  bigint: 8,
  date: 9,
  binary: 10,
  array: 11,
  object: 12,
  bareObject: 13,
  map: 14,
  set: 15,
  hole: 16,
} as const;

/** How deep values may nest. */
export const VALUE_DEPTH_MAX = 64;

/** Views of bytes, by their number; their elements' size is the one of their constructor. */
export const BINARIES = [
  Uint8Array,
  Buffer,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  ArrayBuffer,
] as const;

const BINARY_NUMBERS = new Map<unknown, number>(
  BINARIES.map((constructor, number) => [constructor.prototype, number]),
);

/** Number of a value among {@link BINARIES}, or −1. */
export function binaryNumber(value: object): number {
  return BINARY_NUMBERS.get(Object.getPrototypeOf(value)) ?? -1;
}

/** The leading byte of a value, or as text what it is when it cannot travel. What it holds is not looked at. */
export function kindOf(value: unknown): number | string {
  switch (typeof value) {
    case 'undefined':
      return VALUE.undefined;
    case 'boolean':
      return value ? VALUE.true : VALUE.false;
    case 'number':
      return isInt(value) ? VALUE.int : VALUE.double;
    case 'string':
      return VALUE.text;
    case 'bigint':
      return VALUE.bigint;
    case 'object':
      return value === null ? VALUE.null : objectKind(value);
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
  }
}

/** A 32-bit whole number other than −0. */
export function isInt(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0);
}

export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function objectKind(value: object): number | string {
  const prototype: unknown = Object.getPrototypeOf(value);
  switch (prototype) {
    case Object.prototype:
      return VALUE.object;
    case Array.prototype:
      return VALUE.array;
    case null:
      return VALUE.bareObject;
    case Date.prototype:
      return VALUE.date;
    case Map.prototype:
      return VALUE.map;
    case Set.prototype:
      return VALUE.set;
    default:
      return BINARY_NUMBERS.has(prototype) ? VALUE.binary : `an instance of ${className(prototype)}`;
  }
}

function className(prototype: unknown): string {
  const { constructor } = prototype as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class';
}
