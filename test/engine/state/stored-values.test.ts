import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { decodeGroup, encodeGroup } from '../../../engine/checkpoint/snapshot-codec.ts';
import { ReusedArrays } from '../../../engine/state/array-source.ts';
import { SlotValues } from '../../../engine/state/slot-values.ts';
import {
  EntriesDraft,
  type StoredValues,
  valueReader,
  ValuesDraft,
} from '../../../engine/state/stored-values.ts';
import { ValueShape } from '../../../engine/state/value-shape.ts';
import { copyOf } from '../../../operators/state/cell-kind.ts';
import { propertyRuns } from '../../support/property-runs.ts';

function storedOf(values: readonly unknown[]): StoredValues {
  const draft = new ValuesDraft(copyOf);
  for (const value of values) draft.add(value);
  return draft.stored();
}

/** Stored, sent through msgpack and read back. */
function throughStore(values: readonly unknown[]): unknown[] {
  const { stored } = decodeGroup(encodeGroup({ stored: storedOf(values) })) as { stored: StoredValues };
  const valueOf = valueReader(stored);
  return values.map((_, i) => valueOf(i));
}

const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 2 ** 31 - 1 }) },
  { weight: 2, arbitrary: fc.double({ noNaN: false }) },
  fc.string(),
  fc.boolean(),
  fc.constantFrom(null, undefined, 2 ** 31, -(2 ** 31), -0),
  fc.bigInt({ min: -5n, max: 2n ** 62n }),
);
const deep = fc.oneof(
  fc.array(fc.integer()),
  fc.record({ x: fc.integer() }, { noNullPrototype: true }),
  fc.date({ noInvalidDate: true }),
);

const row = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });

/** Mostly of one shape. */
const values: fc.Arbitrary<unknown[]> = fc.oneof(
  fc.array(row({ auction: scalar, price: fc.integer(), at: fc.double() })),
  fc.array(fc.oneof(fc.integer(), fc.double())),
  fc.array(
    fc.oneof(
      { weight: 20, arbitrary: row({ b: fc.integer(), a: scalar }) },
      { weight: 1, arbitrary: row({ a: scalar, b: fc.integer() }) },
      { weight: 1, arbitrary: row({ b: fc.integer(), a: deep }) },
      { weight: 1, arbitrary: scalar },
      { weight: 1, arbitrary: fc.constant({}) },
    ),
    { maxLength: 30 },
  ),
  fc.array(
    fc.oneof(
      { weight: 20, arbitrary: fc.array(fc.oneof(fc.integer(), fc.double()), { maxLength: 20 }) },
      { weight: 1, arbitrary: fc.array(scalar) },
      { weight: 1, arbitrary: row({ b: fc.integer() }) },
    ),
  ),
  // Names that are numbers come before the others, whatever the order.
  fc.array(
    fc
      .array(fc.constantFrom('1', '0', 'b', 'constructor', 'é', '"', 'toString'), { minLength: 1 })
      .map((names) => Object.fromEntries(names.map((name, i) => [name, i]))),
  ),
);

/** Of msgpack −0 comes back as 0. */
const withoutSign = (value: unknown) => (value === 0 ? 0 : value);
const fieldsOf = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(fieldsOf)
    : typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
      ? Object.entries(value).map(([name, field]) => [name, withoutSign(field)])
      : withoutSign(value);

void t.test('values come back as they were, with the order of their fields', async () => {
  fc.assert(
    fc.property(values, (them) => isDeepStrictEqual(throughStore(them).map(fieldsOf), them.map(fieldsOf))),
    { numRuns: propertyRuns(500) },
  );
});

void t.test('numbers of one shape are stored as such, field by field', async (test) => {
  const rows = [
    { id: 1, at: 2 ** 40, name: 'a', half: 0.5, zero: -0 },
    { id: -7, at: 5, name: 'b', half: Number.NaN, zero: 0 },
  ];
  test.strictSame(storedOf(rows), {
    fields: {
      id: Int32Array.of(1, -7),
      at: Float64Array.of(2 ** 40, 5),
      name: ['a', 'b'],
      half: Float64Array.of(0.5, Number.NaN),
      zero: Float64Array.of(-0, 0),
    },
  });
  test.strictSame(storedOf([3, 4]), Int32Array.of(3, 4));
  test.strictSame(storedOf([]), new Int32Array(0));
  test.strictSame(storedOf([3, 'x']), [3, 'x']);
});

void t.test(
  'arrays of numbers are stored one behind another, and what else is an array as it is',
  async (test) => {
    test.strictSame(storedOf([[1, 2.5], [], [3]]), {
      lengths: Int32Array.of(2, 0, 1),
      items: Float64Array.of(1, 2.5, 3),
    });
    for (const other of [[[1], ['x']], [[1], { a: 1 }], [[1], new Array(2)], [[[1]]]]) {
      const stored = storedOf(other);
      test.strictSame(stored, other);
      for (const [i, it] of other.entries()) test.not((stored as unknown[])[i], it, 'VD1');
    }
    class Numbers extends Array<number> {}
    test.ok(Array.isArray(storedOf([Numbers.of(1, 2)])));
  },
);

void t.test('lists of entries come back as they were, however much room was taken when', async (test) => {
  const entry = fc.tuple(fc.oneof(fc.string(), fc.double(), fc.integer()), fc.double());
  const lists = fc.array(fc.array(entry, { minLength: 1, maxLength: 20 }), { maxLength: 20 });
  const script = fc.record({ lists, them: values, early: fc.nat({ max: 20 }), isTimed: fc.boolean() });
  fc.assert(
    fc.property(script, ({ lists, them, early, isTimed }) => {
      const draft = new EntriesDraft(copyOf);
      const arrays = new ReusedArrays();
      const expected = lists.map((list, i) => {
        if (i === early) draft.reserve(lists.length, arrays);
        const entries = list.map(([key, time], j) => {
          const value = them[(i + j) % them.length] ?? null;
          draft.add(key, value, isTimed ? time : undefined);
          return isTimed ? [key, value, time] : [key, value];
        });
        draft.close();
        return entries;
      });
      const { stored } = decodeGroup(encodeGroup({ stored: draft.stored(arrays) })) as {
        stored: StoredValues;
      };
      const listOf = valueReader(stored);
      return isDeepStrictEqual(
        lists.map((_, i) => fieldsOf(listOf(i))),
        expected.map(fieldsOf),
      );
    }),
    { numRuns: propertyRuns(500) },
  );
  test.pass();
});

void t.test('values of several shapes are stored one by one', async (test) => {
  const rows = [{ a: 1 }, { a: 2 }, { b: 3 }, { a: 4, b: 5 }, null, { a: 'x' }];
  test.strictSame(storedOf(rows), rows);
});

void t.test('objects that are more than their fields keep what they are', async (test) => {
  class Point {
    x = 1;
  }
  const strange = [
    [{ a: 1 }, new Map([[1, 2]])],
    [new Date(5), new Date(6)],
    [{ a: { deep: [1] } }],
    [{ a: [1] }, { a: [2] }],
    [Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, i]))],
    [JSON.parse('{ "__proto__": 1 }') as unknown],
  ];
  for (const them of strange) {
    const stored = storedOf(them);
    test.strictSame(stored, them);
    for (const [i, it] of them.entries()) test.not((stored as unknown[])[i], it, 'VD1');
  }
  test.same(storedOf([new Point()]), [{ x: 1 }], 'of an instance its fields are stored');
});

void t.test('VD1: what is changed in a value after it was added is not stored', async (test) => {
  const [flat, deep] = [{ n: 1 }, { n: { of: 1 } }];
  const drafts = [flat, deep].map((value) => {
    const draft = new ValuesDraft(copyOf);
    draft.add(value);
    return draft;
  });
  flat.n = 2;
  deep.n.of = 2;
  test.strictSame(
    drafts.map((draft) => draft.stored()),
    [{ fields: { n: Int32Array.of(1) } }, [{ n: { of: 1 } }]],
  );
});

void t.test('numbers lie in the arrays that are given', async (test) => {
  const draft = new ValuesDraft(copyOf);
  const arrays = new ReusedArrays();
  for (let i = 0; i < 40; i++) draft.add({ i, half: i / 2 });
  draft.reserve(100, arrays);
  for (let i = 40; i < 100; i++) draft.add({ i, half: i / 2 });
  const { fields } = draft.stored(arrays) as { fields: Record<'i' | 'half', Float64Array> };
  test.equal(fields.i.buffer, fields.half.buffer);
  test.strictSame(
    [...fields.half],
    Array.from({ length: 100 }, (_, i) => i / 2),
  );
});

void t.test('values of slots, added together, are stored as when they are added one by one', async () => {
  const script = fc.record({ before: values, them: values, more: values });
  fc.assert(
    fc.property(script, ({ before, them, more }) => {
      const slots = new SlotValues();
      for (const [i, value] of them.entries()) slots.set(2 * i, value);
      const [one, together] = [new ValuesDraft(copyOf), new ValuesDraft(copyOf)];
      for (const value of before) for (const draft of [one, together]) draft.add(value);
      together.reserve(before.length + them.length, new ReusedArrays());
      for (const value of them) one.add(value);
      together.addAll(
        slots,
        Int32Array.from(them, (_, i) => 2 * i),
      );
      for (const value of more) for (const draft of [one, together]) draft.add(value);
      return isDeepStrictEqual(together.stored(), one.stored());
    }),
    { numRuns: propertyRuns(500) },
  );
});

void t.test('generated and interpreted shapes do the same', async () => {
  const shape = (value: unknown, codeGeneration: 'auto' | 'never') => {
    const of = ValueShape.ofValue(value);
    return of === null ? null : new ValueShape(of.names, { codeGeneration });
  };
  fc.assert(
    fc.property(values, (them) => {
      const outcome = (codeGeneration: 'auto' | 'never') => {
        const made = shape(them[0], codeGeneration);
        if (made === null) return null;
        const lists: unknown[][] = made.names.map(() => []);
        let count = 0;
        const taken = them.map((value) => made.takeApart(value, lists, count) && ++count > 0);
        return { taken, lists, values: Array.from({ length: count }, (_, i) => made.putTogether(lists, i)) };
      };
      return isDeepStrictEqual(outcome('auto'), outcome('never'));
    }),
    { numRuns: propertyRuns(300) },
  );
});
