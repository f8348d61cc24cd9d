import { encodeKey } from '../key/key.ts';
import { type ArraySource, newArrays } from './array-source.ts';
import { type NumberList, numberList } from './number-list.ts';
import { inSteps, STEP_ITEMS, type Steps } from './steps.ts';

/**
 * Many canonical keys (key.ts) as stored: one after another, so that a snapshot of a million keys is no million objects.
 *
 * ```text
 * bytes   key 0, key 1, …
 * ends    per key u32, the byte behind it
 * ```
 */
export interface PackedKeys {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

/** Keys of numbers alone: a list per component, from which no key need be taken apart again. */
export interface NumberKeys {
  readonly numbers: readonly NumberList[];
  /** Whether a key is a tuple; else it is the number itself, in the only list. */
  readonly isTuple: boolean;
}

/** Keys as a snapshot holds them; one by one where it was stored before they were packed. */
export type StoredKeys = PackedKeys | NumberKeys | readonly Uint8Array[];

/** Canonical bytes of stored keys, by their numbers. */
export function storedKeyBytes(keys: StoredKeys): {
  readonly count: number;
  readonly at: (number: number) => Uint8Array;
} {
  if ('numbers' in keys) {
    const { numbers, isTuple } = keys;
    const partsAt = (i: number) => numbers.map((list) => list[i] as number);
    return {
      count: numbers[0]?.length ?? 0,
      at: (i) => encodeKey(isTuple ? partsAt(i) : (partsAt(i)[0] as number)),
    };
  }
  if (!('ends' in keys)) return { count: keys.length, at: (i) => keys[i] as Uint8Array };
  const { bytes, ends } = keys;
  return { count: ends.length, at: (i) => bytes.subarray(ends[i - 1] ?? 0, ends[i]) };
}

/** Packs keys that are there one by one. */
export function packKeys(keys: readonly Uint8Array[], arrays: ArraySource = newArrays): PackedKeys {
  const ends = arrays.uint32(keys.length);
  let at = 0;
  for (const [i, key] of keys.entries()) ends[i] = at += key.length;
  const bytes = arrays.bytes(at);
  for (const [i, key] of keys.entries()) bytes.set(key, (ends[i] as number) - key.length);
  return { bytes, ends };
}

/** What knows the keys of slots, and can write them down. */
export interface KeyPacker {
  readonly pack: (slots: Int32Array, arrays: ArraySource) => PackedKeys;
  /** Components of a key that is a tuple, 0 for keys that are scalars. */
  readonly tupleWidth: number;
  /** Puts one component of the keys of some slots into `target`; false when it is no number in one of them. */
  readonly readNumbers: (slots: Int32Array, component: number, target: Float64Array) => boolean;
}

/** The keys of many slots, step by step; the slots must stay with their keys meanwhile (ST2). */
export function* packInSteps(keys: KeyPacker, slots: Int32Array, arrays: ArraySource): Steps<StoredKeys> {
  return (yield* numbersInSteps(keys, slots, arrays)) ?? (yield* packBytesInSteps(keys, slots, arrays));
}

/** The same in the form that {@link joinKeys} takes. */
export function* packBytesInSteps(
  keys: KeyPacker,
  slots: Int32Array,
  arrays: ArraySource,
): Steps<PackedKeys> {
  if (slots.length <= STEP_ITEMS) return keys.pack(slots, arrays);
  const parts: PackedKeys[] = [];
  for (let from = 0; from < slots.length; from += STEP_ITEMS) {
    parts.push(keys.pack(slots.subarray(from, from + STEP_ITEMS), arrays));
    yield;
  }
  return joinKeys(parts, arrays);
}

/** Null when a key is not of numbers, or none is there to tell. */
function* numbersInSteps(keys: KeyPacker, slots: Int32Array, arrays: ArraySource): Steps<NumberKeys | null> {
  if (slots.length === 0) return null;
  const numbers: NumberList[] = [];
  for (let component = 0; component < Math.max(1, keys.tupleWidth); component++) {
    const values = arrays.float64(slots.length);
    let areNumbers = true;
    yield* inSteps(slots.length, (from, to) => {
      areNumbers &&= keys.readNumbers(slots.subarray(from, to), component, values.subarray(from, to));
    });
    if (!areNumbers) return null;
    numbers.push(numberList(values, arrays));
  }
  return { numbers, isTuple: keys.tupleWidth > 0 };
}

/** Packed keys behind one another. */
export function joinKeys(parts: readonly PackedKeys[], arrays: ArraySource): PackedKeys {
  const bytes = arrays.bytes(parts.reduce((sum, part) => sum + part.bytes.length, 0));
  const ends = arrays.uint32(parts.reduce((sum, part) => sum + part.ends.length, 0));
  let [byte, key] = [0, 0];
  for (const part of parts) {
    bytes.set(part.bytes, byte);
    for (let i = 0; i < part.ends.length; i++) ends[key++] = byte + (part.ends[i] as number);
    byte += part.bytes.length;
  }
  return { bytes, ends };
}
