import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { avg, count, max, min, p50, sum } from '#operators';
import { countIf, distinct, first, last, stddev, variance } from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { foldOf } from '../../../operators/window/mergeable-fold.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { createOperatorBench } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { form, forms, type Sample, samples } from '../../support/row-arbitraries.ts';

const spec = {
  n: count(),
  oks: countIf('ok'),
  high: countIf((row: Sample) => row.level > 0),
  total: sum('value'),
  low: min('value'),
  top: max('value'),
  mean: avg('value'),
  spread: variance('level'),
  deviation: stddev('level'),
  opening: first('value'),
  closing: last('device'),
  named: last((row: Sample) => `${row.tenant}/${row.level}`),
  devices: distinct('device'),
  both: distinct((row: Sample) => row.ok),
  middle: p50('value'),
};
const fold = foldOf(spec);
type Accumulator = ReturnType<typeof fold.createAccumulator>;
const addAll = (rows: readonly Sample[], to: Accumulator) =>
  rows.reduce((accumulator, row) => fold.add(row, row.ts, accumulator), to);
const close = (a: unknown, b: unknown) =>
  typeof a === 'number' && typeof b === 'number'
    ? Math.abs(a - b) < 1e-9 || Object.is(a + 0, b + 0)
    : a === b;
const alike = (a: object, b: object) =>
  Object.entries(a).every(([name, value]) => close(value, (b as Record<string, unknown>)[name]));
const byTime = (rows: readonly Sample[]) => rows.toSorted((a, b) => a.ts - b.ts);

void t.test('CP1: however records are shared between accumulators, merged they give one result', async () => {
  fc.assert(
    fc.property(fc.array(samples({ minLength: 0, maxLength: 12 }), { maxLength: 6 }), (parts) => {
      const accumulators = parts.map((rows) => addAll(rows, fold.createAccumulator()));
      const before = accumulators.map((it) => structuredClone(fold.state(it)));
      const merged = accumulators.reduce((a, b) => fold.merge(a, b), fold.createAccumulator());
      const untouched = accumulators.every((it, i) => isDeepStrictEqual(fold.state(it), before[i]));
      return (
        untouched &&
        alike(fold.getResult(addAll(parts.flat(), fold.createAccumulator())), fold.getResult(merged))
      );
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('the fold gives what the window operator gives from its own cells', async () => {
  fc.assert(
    fc.property(samples(), form(), fc.boolean(), (rows, how, interpreted) => {
      const windows = { kind: 'tumbling', sizeMs: 1_000, offsetMs: -500 } as const;
      const bench = createOperatorBench({
        keys: { kind: 'function', select: () => 1 },
        interpreted,
      });
      const definition = windowAggregate({
        windows,
        allowedLatenessMs: 0,
        plan: planCells(spec),
        fold: null,
      });
      const operator = definition.create(bench.context);
      operator.records(forms(rows, how));
      operator.watermark(1e6);
      const [given] = bench.output.rows() as { readonly value: object }[];
      return isDeepStrictEqual(given?.value, fold.getResult(addAll(rows, fold.createAccumulator())));
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('its state is plain data, a copy, and goes on as if it had never been stored', async () => {
  fc.assert(
    fc.property(samples(), samples(), (before, after) => {
      const accumulator = addAll(before, fold.createAccumulator());
      const state = fold.state(accumulator);
      const copy = structuredClone(state);
      const restored = addAll(after, fold.from(structuredClone(state)));
      addAll(after, accumulator);
      return (
        isDeepStrictEqual(state, copy) &&
        isDeepStrictEqual(fold.getResult(accumulator), fold.getResult(restored))
      );
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('first and last go by event time, then by arrival; variance is that of all values', async () => {
  fc.assert(
    fc.property(samples(), (rows) => {
      const { opening, closing, spread, deviation } = fold.getResult(addAll(rows, fold.createAccumulator()));
      const levels = rows.map((row) => row.level);
      const mean = levels.reduce((a, b) => a + b, 0) / levels.length;
      const squared = levels.reduce((a, b) => a + (b - mean) ** 2, 0) / levels.length;
      return (
        close(spread, squared) &&
        close(deviation, Math.sqrt(squared)) &&
        Object.is(opening, byTime(rows).find((row) => row.value !== null)?.value ?? null) &&
        closing === (byTime(rows).findLast((row) => row.device !== null)?.device ?? null)
      );
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('variance of values far from zero keeps its digits, also merged', async (test) => {
  // The textbook formula, mean of squares less square of the mean, gives nonsense here.
  const wide = foldOf({ spread: variance('value') });
  const of = (values: readonly number[]) =>
    values.reduce((acc, value) => wide.add({ value }, 0, acc), wide.createAccumulator());
  const offset = 1e9;
  const values = [4, 7, 13, 16].map((value) => value + offset);
  test.equal(wide.getResult(of(values))['spread'], 22.5);
  test.equal(wide.getResult(wide.merge(of(values.slice(0, 1)), of(values.slice(1))))['spread'], 22.5);
  test.equal(wide.getResult(wide.createAccumulator())['spread'], null);
});

void t.test(
  'a state of other aggregates: what is kept goes on, what is new has seen nothing',
  async (test) => {
    const former = foldOf({ n: count(), total: sum('value') });
    const state = former.state(former.add({ value: 5 }, 0, former.createAccumulator()));
    const now = foldOf({
      n: count(),
      total: sum('value'),
      odd: max((row: { readonly value: number }) => row.value),
      spread: variance('value'),
      devices: distinct('value'),
      closing: last('value'),
      middle: p50('value'),
    });
    test.same(now.getResult(now.from(state)), {
      n: 1,
      total: 5,
      odd: null,
      spread: null,
      devices: 0,
      closing: null,
      middle: null,
    });
  },
);
