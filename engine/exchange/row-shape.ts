import { LIMITS } from '../base/limits.ts';
import { corrupt } from '../wire/frame-layout.ts';
import { isPlainObject } from './value-kind.ts';

/**
 * What the rows of a channel have in common: a tree of objects that all have the same keys in the same order, and what is in their
 * fields. Everything but `any` may be null or undefined in some rows; `nothing` always is.
 */
export type RowShape =
  | { readonly kind: 'nothing' | 'number' | 'boolean' | 'string' | 'any' }
  | { readonly kind: 'object'; readonly fields: readonly ShapeField[] };

export interface ShapeField {
  readonly name: string;
  readonly shape: RowShape;
}

export const NOTHING: RowShape = { kind: 'nothing' };
export const ANY: RowShape = { kind: 'any' };

/** Beyond, an object travels value by value. */
const SHAPE_DEPTH_MAX = 8;
const SHAPE_FIELDS_MAX = 128;
const SHAPE_NODES_MAX = 256;

/** The narrowest shape that fits both what `shape` fits and all of `rows`. */
export function widened(shape: RowShape, rows: readonly unknown[]): RowShape {
  let wide = shape;
  for (const row of rows) wide = joined(wide, shapeOf(row, 0));
  return nodeCount(wide) > SHAPE_NODES_MAX ? ANY : wide;
}

/** True for strings that a dictionary holds: UTF-8 gives them back, and they are not too large for a decoder. */
export function fitsDictionary(text: string): boolean {
  return text.length * 3 <= LIMITS.cellBytesMax && text.isWellFormed();
}

/** Objects, fields and values of a shape. */
export function nodeCount(shape: RowShape): number {
  if (shape.kind !== 'object') return 1;
  return shape.fields.reduce((count, field) => count + nodeCount(field.shape), 1);
}

type ShapeJson = string | readonly (readonly [string, ShapeJson])[];

const LETTERS = { nothing: '0', number: 'n', boolean: 'b', string: 's', any: 'a' } as const;
const BY_LETTER: ReadonlyMap<unknown, RowShape> = new Map(
  Object.entries(LETTERS).map(([kind, letter]) => [letter, { kind: kind as keyof typeof LETTERS }]),
);

/** `[["key",[["device","s"]]],["n","n"]]`: a letter per value, pairs of name and shape per object. */
export function shapeText(shape: RowShape): string {
  const json = (of: RowShape): ShapeJson =>
    of.kind === 'object' ? of.fields.map((field) => [field.name, json(field.shape)]) : LETTERS[of.kind];
  return JSON.stringify(json(shape));
}

/** Reads {@link shapeText} back. @throws MR_FRAME_CORRUPT */
export function parseShape(text: string): RowShape {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw corrupt('its shape is not JSON');
  }
  const shape = shapeFrom(json, 0);
  if (nodeCount(shape) > SHAPE_NODES_MAX) throw corrupt('its shape is too large');
  return shape;
}

function shapeFrom(json: unknown, depth: number): RowShape {
  const leaf = BY_LETTER.get(json);
  if (leaf !== undefined) return leaf;
  if (!Array.isArray(json) || depth >= SHAPE_DEPTH_MAX || json.length > SHAPE_FIELDS_MAX)
    throw corrupt('its shape is none');
  const fields = json.map((pair: unknown): ShapeField => {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string')
      throw corrupt('its shape is none');
    return { name: pair[0], shape: shapeFrom(pair[1], depth + 1) };
  });
  if (new Set(fields.map((field) => field.name)).size < fields.length)
    throw corrupt('its shape names a field twice');
  return { kind: 'object', fields };
}

function shapeOf(value: unknown, depth: number): RowShape {
  if (value === null || value === undefined) return NOTHING;
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return { kind: typeof value as 'number' | 'boolean' };
    case 'string':
      return fitsDictionary(value) ? { kind: 'string' } : ANY;
    default:
  }
  if (!isPlainObject(value) || depth >= SHAPE_DEPTH_MAX) return ANY;
  const names = Object.keys(value);
  if (names.length > SHAPE_FIELDS_MAX) return ANY;
  return {
    kind: 'object',
    fields: names.map((name) => ({ name, shape: shapeOf(value[name], depth + 1) })),
  };
}

function joined(a: RowShape, b: RowShape): RowShape {
  if (b.kind === 'nothing') return a;
  if (a.kind === 'nothing') return b;
  if (a.kind !== 'object' || b.kind !== 'object') return a.kind === b.kind ? a : ANY;
  if (a.fields.length !== b.fields.length) return ANY;
  const fields: ShapeField[] = [];
  for (const [i, { name, shape }] of a.fields.entries()) {
    const other = b.fields[i];
    if (other?.name !== name) return ANY;
    fields.push({ name, shape: joined(shape, other.shape) });
  }
  return { kind: 'object', fields };
}
