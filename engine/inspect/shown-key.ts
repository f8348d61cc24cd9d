import { MillraceError } from '../base/errors.ts';
import { decodeKey, isKey, type Key, type KeyScalar } from '../key/key.ts';
import type { KeySelector } from '../state/key-space.ts';

/** A key as users see it: an object of the named fields it is made of where these are known, else the canonical scalar or tuple. */
export type ShownKey = Key | Readonly<Record<string, KeyScalar>>;

/** @throws MR_KEY_INVALID when the bytes are no canonical key */
export function shownKey(canonical: Uint8Array, selector: KeySelector | null): ShownKey {
  const key = decodeKey(canonical);
  if (selector?.kind !== 'fields') return key;
  const parts = partsOf(key);
  // Kept by a job that keyed by something else.
  if (parts.length !== selector.fields.length) return key;
  return Object.fromEntries(selector.fields.map((field, i) => [field, parts[i] as KeyScalar]));
}

/**
 * The key that is shown so. Takes the canonical form as well, wherever fields are named.
 * @throws MR_KEY_INVALID when it is none
 */
export function keyOf(shown: unknown, selector: KeySelector | null): Key {
  const isRecord = typeof shown === 'object' && shown !== null && !Array.isArray(shown);
  const key = isRecord ? fromFields(shown as Readonly<Record<string, unknown>>, selector) : shown;
  if (isKey(key)) return key;
  const expected =
    selector?.kind === 'fields' ? `an object of ${selector.fields.join(', ')}` : 'a scalar or list';
  throw new MillraceError('MR_KEY_INVALID', `${JSON.stringify(shown)} is no key here. Give ${expected}.`);
}

/** What the first part of a key begins with is what a search by prefix looks at. */
export function beginsWith(canonical: Uint8Array, prefix: string): boolean {
  return String(partsOf(decodeKey(canonical))[0]).startsWith(prefix);
}

function fromFields(shown: Readonly<Record<string, unknown>>, selector: KeySelector | null): unknown {
  if (selector?.kind !== 'fields' || Object.keys(shown).length !== selector.fields.length) return undefined;
  const parts = selector.fields.map((field) => shown[field]);
  return parts.length === 1 ? parts[0] : parts;
}

function partsOf(key: Key): readonly KeyScalar[] {
  return (Array.isArray(key) ? key : [key]) as readonly KeyScalar[];
}
