import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { SlotValues } from '../../../engine/state/slot-values.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const slot = fc.oneof(fc.nat({ max: 12 }), fc.constantFrom(1_500, 5_000));
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0));
const row = fc.record({ n: number, name: fc.oneof(number, fc.string()) }, { noNullPrototype: true });

void t.test('SV1: each slot has what was set last, of one shape or of several', async () => {
  const anything = fc.oneof(
    { weight: 30, arbitrary: row },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 7, 'x', { name: 1, n: 2 }, { n: 1 }, [1], {}) },
    { weight: 1, arbitrary: fc.constant({ n: 1, name: { first: 'a' } }) },
  );
  const property = (value: fc.Arbitrary<unknown>) =>
    fc.property(fc.array(fc.tuple(slot, value), { maxLength: 60 }), (script) => {
      const values = new SlotValues();
      const model = new Map<number, unknown>();
      for (const [at, it] of script) {
        values.set(at, it);
        model.set(at, it);
        if (!isDeepStrictEqual(values.get(at), it)) return false;
      }
      return [0, 1, 2, 3, 12, 1_499, 1_500, 4_999, 5_000, 5_001].every((at) =>
        isDeepStrictEqual(values.get(at), model.get(at)),
      );
    });
  fc.assert(property(row), { numRuns: propertyRuns(200) });
  fc.assert(property(anything), { numRuns: propertyRuns(300) });
});

void t.test('values that are no flat objects are kept themselves', async (test) => {
  class Point {
    x = 1;
  }
  for (const value of [new Point(), [1], new Date(0), { deep: {} }, 'text', null]) {
    const values = new SlotValues();
    values.set(3, value);
    test.equal(values.get(3), value);
    test.equal(values.get(2), undefined);
  }
});

void t.test('a flat object is free to change once it was set', async (test) => {
  const values = new SlotValues();
  const value = { n: 1 };
  values.set(0, value);
  value.n = 2;
  test.same(values.get(0), { n: 1 });
});
