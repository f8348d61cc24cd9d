import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '#engine';
import { QuantileSketch } from '../../../operators/window/quantile-sketch.ts';
import { newArrays } from '../../../engine/state/array-source.ts';
import { finish } from '../../../engine/state/steps.ts';
import { storedSketches, storeSketches } from '../../../operators/window/stored-sketches.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const sketchOf = (values: readonly number[]) => {
  const sketch = new QuantileSketch();
  for (const value of values) sketch.add(value);
  return sketch;
};
/** Nearest rank, by sorting everything. */
const exact = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] as number;

const same = (a: unknown, b: unknown) => isDeepStrictEqual(a, b);

const quantile = fc.constantFrom(0, 0.01, 0.25, 0.5, 0.95, 0.99, 1);
const value = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  fc.constantFrom(0, -0, 1e-9, 1e15, -1e15),
);

void t.test('QS1: up to 64 values it is exact', async () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 64, size: 'max' }),
      quantile,
      (values, q) =>
        Object.is(sketchOf(values).quantile(q) === 0, exact(values, q) === 0) &&
        sketchOf(values).quantile(q) === exact(values, q),
    ),
    { numRuns: propertyRuns(500) },
  );
});

void t.test('QS1: beyond, it is within 1 % of the exact answer, signs included', async () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 65, maxLength: 600, size: 'max' }), quantile, (values, q) => {
      const got = sketchOf(values).quantile(q) as number;
      const expected = exact(values, q);
      return Math.abs(got - expected) <= 0.0101 * Math.abs(expected) + 1e-12;
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('the order of values and a round trip of its state change nothing', async () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200, size: 'max' }),
      quantile,
      fc.nat(),
      (values, q, seed) => {
        const random = seededRandom(seed);
        const shuffled = values
          .map((v) => [random(), v] as const)
          .sort((a, b) => a[0] - b[0])
          .map(([, v]) => v);
        const cut = Math.floor(random() * values.length);
        const restored = QuantileSketch.from(structuredClone(sketchOf(values.slice(0, cut)).state()));
        for (const v of values.slice(cut)) restored.add(v);
        const plain = sketchOf(values).quantile(q);
        return sketchOf(shuffled).quantile(q) === plain && restored.quantile(q) === plain;
      },
    ),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('one that is cleared is as one that is new, whatever it has held', async () => {
  // Narrow ones share an array of buckets.
  const narrow = fc.integer({ min: 100, max: 200 });
  const some = fc.oneof(
    fc.array(value, { maxLength: 200, size: 'max' }),
    fc.array(narrow, { maxLength: 200, size: 'max' }),
  );
  fc.assert(
    fc.property(fc.array(some, { minLength: 2, maxLength: 4 }), (lists) => {
      const used = new QuantileSketch();
      for (const list of lists) {
        used.clear();
        for (const v of list) used.add(v);
      }
      return same(used.state(), sketchOf(lists.at(-1) ?? []).state());
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('what is kept of a sketch is what it had seen, as long as it is not cleared', async () => {
  const some = fc.array(value, { maxLength: 120, size: 'max' });
  fc.assert(
    fc.property(some, some, (before, after) => {
      const sketch = sketchOf(before);
      const kept = sketch.kept();
      for (const v of after) sketch.add(v);
      const stored = finish(storeSketches([kept, sketch.kept()], newArrays));
      return same([...storedSketches(stored)], [sketchOf(before).state(), sketch.state()]);
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('QS2: its size is bounded whatever comes; high quantiles stay within 1 %', async (test) => {
  const random = seededRandom(3);
  const values = Array.from({ length: 3_500 }, () => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 320 - 12));
  const sketch = sketchOf(values);
  test.ok(sketch.state().buckets.length <= 2 * 2048, `${sketch.state().buckets.length / 2} buckets`);
  for (const q of [0.9, 0.99]) {
    const expected = exact(values, q);
    test.ok(Math.abs((sketch.quantile(q) as number) - expected) <= 0.0101 * expected, `${q}`);
  }
});

void t.test('QS2: folding costs little also when every value opens a bucket', async (test) => {
  // Regression: each new bucket beyond the bound sorted all of them, 500 µs apiece.
  const random = seededRandom(5);
  const values = Array.from(
    { length: 40_000 },
    () => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 320 - 12),
  );
  const began = process.cpuUsage();
  sketchOf(values);
  const { user } = process.cpuUsage(began);
  test.ok(user < 2_000_000, `${user / 1000} ms of CPU for 40,000 values`);
});

void t.test(
  'QS1: sketches merge to what one sketch of all values says, however they are shared',
  async () => {
    const shares = fc.array(fc.array(value, { maxLength: 120, size: 'max' }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(shares, quantile, fc.boolean(), (parts, q, pairwise) => {
        const sketches = parts.map(sketchOf);
        const before = sketches.map((sketch) => structuredClone(sketch.state()));
        const merged = new QuantileSketch();
        if (pairwise) {
          const right = new QuantileSketch();
          for (const [i, sketch] of sketches.entries()) (i % 2 === 0 ? merged : right).merge(sketch);
          merged.merge(right);
        } else for (const sketch of sketches) merged.merge(sketch);
        const untouched = sketches.every((sketch, i) => same(sketch.state(), before[i]));
        const all = parts.flat();
        return untouched && merged.quantile(q) === sketchOf(all).quantile(q);
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);

void t.test(
  'QS1: values that drift over many decades, merged, stay within 1 % where it is promised',
  async () => {
    const decade = fc.integer({ min: -11, max: 290 });
    fc.assert(
      fc.property(fc.array(decade, { minLength: 1, maxLength: 30 }), fc.nat(), (decades, seed) => {
        const random = seededRandom(seed);
        const parts = decades.map((d) =>
          Array.from({ length: 150 }, () => (random() < 0.3 ? -1 : 1) * 10 ** (d + random())),
        );
        const merged = new QuantileSketch();
        for (const part of parts) merged.merge(sketchOf(part));
        const all = parts.flat().toSorted((a, b) => a - b);
        const { buckets } = merged.state();
        // The value at the lowest of the 1,536 highest buckets: everything above it is promised.
        const lowest = buckets.length <= 2 * 1536 ? Number.NEGATIVE_INFINITY : all[all.length - 1536];
        return [0.2, 0.5, 0.9, 0.99].every((q) => {
          const expected = exact(all, q);
          const got = merged.quantile(q) as number;
          return expected < (lowest as number) || Math.abs(got - expected) <= 0.0101 * Math.abs(expected);
        });
      }),
      { numRuns: propertyRuns(60) },
    );
  },
);

void t.test('a state stored in the former form goes on', async (test) => {
  const former = {
    exact: null,
    // 1 lies in the bucket of index 0, −1 in its mirror; 50 each, with 10 zeros between.
    buckets: [
      [0, 50],
      [1, 50],
    ] as const,
    zeros: 10,
    nans: 0,
  };
  const sketch = QuantileSketch.from(former);
  for (const [q, expected] of [
    [0.1, -1],
    [0.5, 0],
    [0.9, 1],
  ] as const)
    test.ok(Math.abs((sketch.quantile(q) as number) - expected) <= 0.0101, `${q}`);
});

void t.test('infinities are the lowest and highest values', async (test) => {
  const sketch = sketchOf([
    ...Array.from({ length: 100 }, (_, i) => i),
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  test.equal(sketch.quantile(0), Number.NEGATIVE_INFINITY);
  test.equal(sketch.quantile(1), Number.POSITIVE_INFINITY);
  test.ok(Math.abs((sketch.quantile(0.5) as number) - 49) < 1);
});

void t.test('nothing gives null, NaN gives NaN', async (test) => {
  test.equal(new QuantileSketch().quantile(0.5), null);
  test.same(sketchOf([1, Number.NaN, 2]).quantile(0.5), Number.NaN);
  test.same(QuantileSketch.from(sketchOf([1, Number.NaN]).state()).quantile(0.5), Number.NaN);
});
