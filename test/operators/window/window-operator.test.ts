import fc from 'fast-check';
import t from 'tap';
import { type KeySelector, MIN_WATERMARK, type Stage } from '#engine';
import { type AggregateFunction, avg, count, max, min, p95, sum } from '#operators';
import { countIf, distinct, first, last } from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import type { WindowSpec } from '../../../operators/window/window-spec.ts';
import { type Form, form, forms, type Sample, samples, stages } from '../../support/row-arbitraries.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { createSubtasks, type Subtasks } from '../../support/subtasks.ts';
import { type ReferenceSpec, text, WindowReference } from '../../support/window-reference.ts';

const doubled = (row: Sample) => (row.ok === null ? null : row.level * 2);
const aggregates = {
  n: count(),
  total: sum('value'),
  low: min('value'),
  high: max('value'),
  mean: avg('value'),
  top: p95('value'),
  levels: sum('level'),
  doubles: max(doubled),
  oks: countIf('ok'),
  devices: distinct('device'),
  opening: first('device'),
  closing: last('value'),
};

/** Those that numbers alone are kept of: from columns they are gathered before they are added (gathered-update.ts). */
const { n, total, low, high, mean, levels, oks } = aggregates;
const numbers = { n, total, low, high, mean, levels, oks };

function numbersOf(rows: readonly Sample[]): unknown {
  const all = aggregated(rows) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.keys(numbers).map((name) => [name, all[name]]));
}

/** Stable: of equal times the first to arrive stays first. */
const byTime = (rows: readonly Sample[]) => rows.toSorted((a, b) => a.ts - b.ts);

function aggregated(rows: readonly Sample[]): unknown {
  const values = rows.flatMap((row) => (row.value === null ? [] : [row.value]));
  const doubles = rows.flatMap((row) => doubled(row) ?? []);
  const total = values.reduce((a, b) => a + b, 0);
  const of = <T>(list: readonly number[], result: T) => (list.length === 0 ? null : result);
  const sorted = values.toSorted((a, b) => a - b);
  return {
    n: rows.length,
    total: of(values, total),
    low: of(values, Math.min(...values)),
    high: of(values, Math.max(...values)),
    mean: of(values, total / values.length),
    top: of(values, values.some(Number.isNaN) ? Number.NaN : sorted[Math.ceil(0.95 * values.length) - 1]),
    levels: rows.reduce((a, row) => a + row.level, 0),
    doubles: of(doubles, Math.max(...doubles)),
    oks: rows.filter((row) => row.ok === true).length,
    devices: new Set(rows.flatMap((row) => row.device ?? [])).size,
    opening: byTime(rows).find((row) => row.device !== null)?.device ?? null,
    closing: byTime(rows).findLast((row) => row.value !== null)?.value ?? null,
  };
}

/** Lists what it saw, in order; refuses level −3. */
const listing: AggregateFunction<Sample, { seen: string[] }, string> = {
  createAccumulator: () => ({ seen: [] }),
  add(row, accumulator) {
    if (row.level === -3) throw new Error('refused');
    accumulator.seen.push(`${row.ts}/${row.value}`);
    return accumulator;
  },
  getResult: ({ seen }) => seen.join(),
};

/** The same where order is not promised (panes come by time), with and without a merge. */
const bag: AggregateFunction<Sample, { seen: string[] }, string> = {
  ...listing,
  getResult: ({ seen }) => seen.toSorted().join(),
};
const mergedBag: typeof bag = {
  ...bag,
  merge(a, b) {
    a.seen.push(...b.seen);
    return a;
  },
};

const selectors: readonly (readonly [KeySelector, (row: Sample) => unknown])[] = [
  [{ kind: 'fields', fields: ['tenant'] }, (row) => ({ tenant: row.tenant })],
  [
    { kind: 'fields', fields: ['tenant', 'device'] },
    (row) => (row.device === null ? null : { tenant: row.tenant, device: row.device }),
  ],
  [
    { kind: 'fields', fields: ['level', 'tenant', 'ok'] },
    (row) => (row.ok === null ? null : { level: row.level, tenant: row.tenant, ok: row.ok }),
  ],
  [{ kind: 'function', select: (row) => (row as Sample).level }, (row) => row.level],
  [{ kind: 'function', select: (row) => (row as Sample).device }, (row) => row.device],
  [{ kind: 'function', select: (row) => `${(row as Sample).tenant}!` }, (row) => `${row.tenant}!`],
  [
    { kind: 'function', select: (row) => [(row as Sample).device, 1] },
    (row) => (row.device === null ? null : [row.device, 1]),
  ],
];

type Step =
  | { readonly kind: 'records'; readonly rows: readonly Sample[]; readonly form: Form }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const step = (parallelismMax: number): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('records' as const),
        rows: samples({ maxLength: 8 }),
        form: form(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('watermark' as const),
        time: fc.integer({ min: -70, max: 130 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('restore' as const),
        parallelism: fc.integer({ min: 1, max: parallelismMax }),
      }),
    },
  );

const shape = fc.record({
  sizeMs: fc.constantFrom(1, 10, 25),
  /** Null = tumbling. Some leave gaps, some have no length in common with the size. */
  slideMs: fc.constantFrom(null, null, 1, 2, 4, 7, 25, 40),
  offsetShare: fc.constantFrom(0, 0.3, 0.9, -0.3, -0.9),
  latenessMs: fc.constantFrom(0, 1, 15),
  selector: fc.constantFrom(...selectors),
  folds: fc.constantFrom('no', 'numbers', 'adding', 'merging'),
  interpreted: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

function setUp(
  { sizeMs, slideMs, offsetShare, latenessMs, selector: [keys, keyOf], folds, interpreted }: Shape,
  steps: readonly Stage[],
) {
  const offsetMs = Math.trunc((slideMs ?? sizeMs) * offsetShare);
  const fold = slideMs === null ? listing : folds === 'merging' ? mergedBag : bag;
  const built = { no: aggregates, numbers, adding: undefined, merging: undefined }[folds];
  const spec: WindowSpec = {
    windows:
      slideMs === null
        ? { kind: 'tumbling', sizeMs, offsetMs }
        : { kind: 'sliding', sizeMs, slideMs, offsetMs },
    allowedLatenessMs: latenessMs,
    plan: planCells(built ?? {}),
    fold: built === undefined ? (fold as AggregateFunction<unknown, unknown, unknown>) : null,
  };
  const listed = (rows: readonly Sample[]) => {
    const seen = rows.map((row) => `${row.ts}/${row.value}`);
    return (slideMs === null ? seen : seen.sort()).join();
  };
  const reference: ReferenceSpec = {
    sizeMs,
    slideMs: slideMs ?? sizeMs,
    offsetMs,
    latenessMs,
    stages: steps,
    keyOf,
    result: { no: aggregated, numbers: numbersOf, adding: listed, merging: listed }[folds],
    refuses: (row) => built === undefined && row.level === -3,
  };
  return {
    subtasks: createSubtasks(windowAggregate(spec, folds === 'numbers' ? -1 : undefined), {
      keys,
      stages: steps,
      interpreted,
    }),
    reference: new WindowReference(reference),
  };
}

/** Runs a script on both; the first difference as text, or null. */
function difference(subtasks: Subtasks, reference: WindowReference, script: readonly Step[]): string | null {
  let watermark = MIN_WATERMARK;
  for (const it of [...script, { kind: 'watermark' as const, time: 1_000 }]) {
    if (it.kind === 'records') {
      subtasks.records(it.rows, (rows) => forms(rows, it.form));
      for (const row of it.rows) reference.record(row);
    } else if (it.kind === 'watermark') {
      watermark = Math.max(watermark, it.time);
      subtasks.watermark(it.time);
      reference.watermark(it.time);
    } else subtasks.restore(it.parallelism);
    const { results, late, errors } = subtasks.take();
    const said = {
      results: results.map(text).sort(),
      late: late.map(text).sort(),
      errors: errors
        .map(({ code, message, row, time }) =>
          text([code === 'MR_KEY_INVALID' ? 'no key' : message, row, time]),
        )
        .sort(),
    };
    const expected = reference.take();
    const same =
      text(said) ===
      text({ ...expected, late: [...expected.late].sort(), errors: [...expected.errors].sort() });
    if (!same) return `${text(it)}\n got      ${text(said)}\n expected ${text(expected)}`;
    if (subtasks.watermarks().some((time) => time !== watermark))
      return `watermark ${watermark} was not handed on`;
  }
  return null;
}

void t.test(
  'WO1 WO2 WO3 WO4: windows, late results, late records and dead letters equal a recount from scratch, across restores at any parallelism',
  async () => {
    fc.assert(
      fc.property(shape, fc.array(step(4), { maxLength: 8 }), (how, script) => {
        const { subtasks, reference } = setUp(how, []);
        const wrong = difference(subtasks, reference, script);
        if (wrong !== null) throw new Error(wrong);
      }),
      { numRuns: propertyRuns(350) },
    );
  },
);

void t.test('the same with any stages fused in front', async () => {
  fc.assert(
    fc.property(shape, stages(), fc.array(step(1), { maxLength: 8 }), (how, steps, script) => {
      const { subtasks, reference } = setUp(how, steps);
      const wrong = difference(subtasks, reference, script);
      if (wrong !== null) throw new Error(wrong);
    }),
    { numRuns: propertyRuns(200) },
  );
});
