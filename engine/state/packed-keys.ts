import { type ArraySource, newArrays } from './array-source.ts';
import { STEP_ITEMS, type Steps } from './steps.ts';

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

/** Keys as a snapshot holds them; one by one where it was stored before they were packed. */
export type StoredKeys = PackedKeys | readonly Uint8Array[];

/** Packs keys that are there one by one. */
export function packKeys(keys: readonly Uint8Array[], arrays: ArraySource = newArrays): PackedKeys {
  const ends = arrays.uint32(keys.length);
  let at = 0;
  for (const [i, key] of keys.entries()) ends[i] = at += key.length;
  const bytes = arrays.bytes(at);
  for (const [i, key] of keys.entries()) bytes.set(key, (ends[i] as number) - key.length);
  return { bytes, ends };
}

/** The keys of many slots, step by step; the slots must stay with their keys meanwhile (ST2). */
export function* packInSteps(
  keys: { readonly pack: (slots: Int32Array, arrays: ArraySource) => PackedKeys },
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
