import fc from 'fast-check';
import type { Key, KeyScalar } from '#engine';

/** Well-formed strings as keys have them, and as they should not: empty, long, with a byte order mark, beyond the BMP. */
export function texts(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.integer({ min: 0, max: 30 }).map((i) => `device-${i}`),
    fc.constantFrom('', '\u0000', '\uFEFFx', 'ß', '𝄞', 'x'.repeat(200)),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
}

/** Any scalar but NaN, -0 included. */
export function scalars(): fc.Arbitrary<KeyScalar> {
  return fc.oneof(
    texts(),
    fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0, -0), fc.double({ noNaN: true })),
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  );
}

export function keys(): fc.Arbitrary<Key> {
  return fc.oneof(scalars(), fc.array(scalars(), { minLength: 1, maxLength: 4 }));
}
