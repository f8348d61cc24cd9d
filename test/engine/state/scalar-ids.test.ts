import fc from 'fast-check';
import t from 'tap';
import type { KeyScalar } from '../../../engine/key/key.ts';
import { ScalarIds } from '../../../engine/state/scalar-ids.ts';
import { propertyRuns } from '../../support/property-runs.ts';

void t.test('ids are those of a Map, whatever comes and goes', async () => {
  const scalar: fc.Arbitrary<KeyScalar> = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    // Of one place in a table of 64, and of many.
    fc.integer({ min: -20, max: 20 }).map((n) => n << 26),
    fc.integer(),
    fc.constantFrom<KeyScalar>(-0, 0.5, 2 ** 31, -(2 ** 31), 2 ** 32, Infinity, true, false, 0n, 1n, '', '1'),
  );
  const step = fc.tuple(fc.boolean(), scalar);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (script) => {
      const ids = new ScalarIds();
      const model = new Map<KeyScalar, number>();
      for (const [n, [isAdded, value]] of script.entries()) {
        if (model.has(value) && !isAdded) {
          ids.delete(value);
          model.delete(value);
        } else if (!model.has(value) && isAdded) {
          ids.set(value, n);
          model.set(value, n);
        }
        if (ids.get(value) !== (model.get(value) ?? -1)) return false;
      }
      return ids.size === model.size && [...model].every(([value, id]) => ids.get(value) === id);
    }),
    { numRuns: propertyRuns(500) },
  );
});

void t.test('NI1: −0 and 0 are one, and what is no scalar has no id', async (test) => {
  const ids = new ScalarIds();
  ids.set(-0, 7);
  test.equal(ids.get(0), 7);
  test.equal(ids.get(-0), 7);
  test.equal(ids.get([0]), -1);
  test.equal(ids.get(undefined), -1);
  test.equal(ids.get(null), -1);
});

void t.test('a hundred thousand numbers keep their ids while half of them go', async (test) => {
  const ids = new ScalarIds();
  for (let n = 0; n < 100_000; n++) ids.set(n * 4_096, n);
  for (let n = 0; n < 100_000; n += 2) ids.delete(n * 4_096);
  const wrong = Array.from({ length: 100_000 }, (_, n) => n).filter(
    (n) => ids.get(n * 4_096) !== (n % 2 === 0 ? -1 : n),
  );
  test.same(wrong, []);
  test.equal(ids.size, 50_000);
});
