import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '#engine';
import { QuantileSketch } from '../../../operators/window/quantile-sketch.ts';

const sketchOf = (values: readonly number[]) => {
  const sketch = new QuantileSketch();
  for (const value of values) sketch.add(value);
  return sketch;
};
/** Nearest rank, by sorting everything. */
const exact = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] as number;

const quantile = fc.constantFrom(0, 0.01, 0.25, 0.5, 0.95, 0.99, 1);
const value = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  fc.constantFrom(0, -0, 1e-9, 1e15, -1e15),
);

void t.test('up to 64 values it is exact', async () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 64 }),
      quantile,
      (values, q) =>
        Object.is(sketchOf(values).quantile(q) === 0, exact(values, q) === 0) &&
        sketchOf(values).quantile(q) === exact(values, q),
    ),
    { numRuns: 500 },
  );
});

void t.test('beyond, it is within 1 % of the exact answer, signs included', async () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 65, maxLength: 600 }), quantile, (values, q) => {
      const got = sketchOf(values).quantile(q) as number;
      const expected = exact(values, q);
      return Math.abs(got - expected) <= 0.0101 * Math.abs(expected) + 1e-12;
    }),
    { numRuns: 300 },
  );
});

void t.test('the order of values and a round trip of its state change nothing', async () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), quantile, fc.nat(), (values, q, seed) => {
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
    }),
    { numRuns: 300 },
  );
});

void t.test('its size is bounded whatever comes; high quantiles stay within 1 %', async (test) => {
  const random = seededRandom(3);
  const values = Array.from({ length: 3_500 }, () => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 320 - 12));
  const sketch = sketchOf(values);
  test.ok(sketch.state().buckets.length <= 2048, `${sketch.state().buckets.length} buckets`);
  for (const q of [0.9, 0.99]) {
    const expected = exact(values, q);
    test.ok(Math.abs((sketch.quantile(q) as number) - expected) <= 0.0101 * expected, `${q}`);
  }
});

void t.test('nothing gives null, NaN gives NaN', async (test) => {
  test.equal(new QuantileSketch().quantile(0.5), null);
  test.same(sketchOf([1, Number.NaN, 2]).quantile(0.5), Number.NaN);
  test.same(QuantileSketch.from(sketchOf([1, Number.NaN]).state()).quantile(0.5), Number.NaN);
});
