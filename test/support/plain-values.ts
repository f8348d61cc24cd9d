import fc from 'fast-check';
import { strings } from './wire-arbitraries.ts';

/** Any plain value that travels between threads and processes, down to −0, holes, lone surrogates and hostile keys. */
export function plainValues(): fc.Arbitrary<unknown> {
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaves(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.sparseArray(tie('value'), { maxLength: 4, noTrailingHole: false }),
      fc.array(fc.tuple(keys(), tie('value')), { maxLength: 4 }).map(objectOf),
      fc
        .dictionary(keys(), tie('value'), { maxKeys: 3 })
        .map((it) => Object.assign(Object.create(null), it) as unknown),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    ),
  })).value;
}

/** Batches of rows that mostly have one shape: the same keys, values of one kind, some null, undefined, missing or of another kind. */
export function shapedRows(): fc.Arbitrary<readonly (readonly unknown[])[]> {
  const shape = fc.letrec<{ shape: fc.Arbitrary<unknown> }>((tie) => ({
    shape: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<fc.Arbitrary<unknown>>(
        fc.double(),
        fc.integer(),
        fc.constant(7),
        fc.boolean(),
        strings(),
        fc.constantFrom(null, undefined),
        fc.bigInt(),
        fc.oneof(fc.double(), strings()),
        fc.string({ unit: 'binary' }),
      ),
      fc
        .uniqueArray(fc.tuple(keys(), tie('shape')), { maxLength: 4, selector: ([key]) => key })
        .map(membersOf),
    ),
  })).shape;
  const absent = fc.constantFrom(null, undefined);
  return shape.chain((of) => {
    const row = fc.oneof({ arbitrary: of, weight: 12 }, { arbitrary: absent, weight: 1 });
    const odd = fc.oneof({ arbitrary: row, weight: 20 }, { arbitrary: leaves(), weight: 1 });
    return fc.array(fc.array(odd, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 });
  });
}

/** The keys of a value and of all that it holds, in order; deep equality does not look at their order. */
export function keyTrail(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return null;
  if (value instanceof Map || value instanceof Set) return [...value].map(keyTrail);
  return Object.entries(value).map(([key, item]) => [key, keyTrail(item)]);
}

function membersOf(members: readonly (readonly [string, fc.Arbitrary<unknown>])[]): fc.Arbitrary<unknown> {
  const values = members.map(([, of]) =>
    fc.oneof({ arbitrary: of, weight: 9 }, fc.constantFrom(null, undefined)),
  );
  return fc.tuple(...values).map((cells) => objectOf(members.map(([key], i) => [key, cells[i]])));
}

/** An object with own members only, `__proto__` too. */
function objectOf(members: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(members);
}

function keys(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      '1',
      '0',
      '__proto__',
      'constructor',
      'hasOwnProperty',
      '"',
      '\u2028',
      '\ud800',
      '',
    ),
    fc.string({ maxLength: 4 }),
  );
}

function leaves(): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.constantFrom<unknown>(
      null,
      undefined,
      true,
      false,
      0,
      -0,
      Number.NaN,
      2 ** 31,
      -(2 ** 31),
      'x'.repeat(300),
    ),
    fc.double(),
    fc.integer(),
    strings(),
    fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'a', '€') }),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.oneof(
      fc.uint8Array({ maxLength: 9 }),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => bytes.slice().buffer),
      fc.float64Array({ maxLength: 3 }),
      fc.int16Array({ maxLength: 3 }),
      fc.bigInt64Array({ maxLength: 3 }),
      fc.uint8ClampedArray({ maxLength: 3 }),
    ),
  );
}
