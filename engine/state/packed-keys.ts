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
export function packKeys(keys: readonly Uint8Array[]): PackedKeys {
  const ends = new Uint32Array(keys.length);
  let at = 0;
  for (const [i, key] of keys.entries()) ends[i] = at += key.length;
  const bytes = new Uint8Array(at);
  for (const [i, key] of keys.entries()) bytes.set(key, (ends[i] as number) - key.length);
  return { bytes, ends };
}
