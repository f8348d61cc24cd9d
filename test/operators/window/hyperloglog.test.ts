import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '#engine';
import { HyperLogLog } from '../../../operators/window/hyperloglog.ts';
import type { Scalar } from '../../../operators/window/aggregates.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const sketchOf = (values: Iterable<Scalar>) => {
  const sketch = new HyperLogLog();
  for (const value of values) sketch.add(value);
  return sketch;
};
const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.integer({ min: -50, max: 50 }),
  fc.double(),
  fc.boolean(),
  fc.constantFrom<Scalar>('1', 1, 'true', true, 0, -0, Number.NaN),
);
/** A Set holds 0 and −0 as one, and NaN once, as the sketch does. */
const different = (values: readonly Scalar[]) => new Set(values).size;

void t.test('up to 192 different values the count is exact, types kept apart, repeats left out', async () => {
  fc.assert(
    fc.property(
      fc.array(scalar, { maxLength: 190, size: 'max' }),
      (values) => sketchOf([...values, ...values]).count() === different(values),
    ),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('beyond, the error is within four standard errors of 1.6 %, whatever the values', async () => {
  const kinds = fc.constantFrom<(n: number) => Scalar>(
    (n) => n,
    (n) => n / 1024,
    (n) => `device-${n}`,
    (n) => 'x'.repeat(n % 40) + n,
    (n) => -(2 ** 40) * n,
  );
  fc.assert(
    fc.property(fc.integer({ min: 193, max: 40_000 }), fc.nat(1e9), kinds, (n, from, kind) => {
      const counted = sketchOf(Array.from({ length: n }, (_, i) => kind(from + i))).count();
      return Math.abs(counted - n) <= 4 * 0.01625 * n;
    }),
    { numRuns: 60 },
  );
});

void t.test('its errors spread as declared, and around zero', async (test) => {
  const errors = Array.from({ length: 200 }, (_, round) => {
    const n = 1000 + 50 * round;
    return sketchOf(Array.from({ length: n }, (__, i) => `${round}/${i}`)).count() / n - 1;
  });
  const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
  const root = Math.sqrt(errors.reduce((a, b) => a + b * b, 0) / errors.length);
  test.ok(Math.abs(mean) < 0.005, `mean error ${mean}`);
  test.ok(root < 0.0195, `root mean square error ${root}`);
});

void t.test('merging gives the very state of one sketch that saw everything, in any order', async () => {
  const share = fc.record({ from: fc.nat(1500), count: fc.integer({ min: 0, max: 400 }) });
  fc.assert(
    fc.property(fc.array(share, { minLength: 1, maxLength: 6 }), fc.nat(), (shares, seed) => {
      const values = shares.map(({ from, count }) => Array.from({ length: count }, (_, i) => from + i));
      const sketches = values.map(sketchOf);
      const states = sketches.map((sketch) => structuredClone(sketch.state()));
      const random = seededRandom(seed);
      const order = sketches.map((sketch) => [random(), sketch] as const).sort(([a], [b]) => a - b);
      const merged = new HyperLogLog();
      for (const [, sketch] of order) merged.merge(sketch);
      const whole = sketchOf(values.flat());
      const untouched = sketches.every((sketch, i) => isDeepStrictEqual(sketch.state(), states[i]));
      return untouched && merged.count() === whole.count() && sameState(merged, whole);
    }),
    { numRuns: propertyRuns(150) },
  );
});

void t.test('a round trip of its state changes nothing, and is a copy', async () => {
  fc.assert(
    fc.property(fc.nat(400), fc.nat(400), (before, after) => {
      const sketch = sketchOf(Array.from({ length: before }, (_, i) => i));
      const state = sketch.state();
      const copy = structuredClone(state);
      const restored = HyperLogLog.from(state);
      for (let i = 0; i < after; i++) {
        sketch.add(`later ${i}`);
        restored.add(`later ${i}`);
      }
      return isDeepStrictEqual(state, copy) && sameState(sketch, restored);
    }),
    { numRuns: propertyRuns(100) },
  );
});

function sameState(a: HyperLogLog, b: HyperLogLog): boolean {
  const plain = (sketch: HyperLogLog) => {
    const state = sketch.state();
    return state.kind === 'exact' ? { ...state, hashes: state.hashes.toSorted() } : state;
  };
  return isDeepStrictEqual(plain(a), plain(b));
}
