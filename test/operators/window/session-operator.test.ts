import fc from 'fast-check';
import t from 'tap';
import { type KeySelector, MIN_WATERMARK, type Stage } from '#engine';
import type { AggregateFunction } from '#operators';
import {
  avg,
  count,
  distinct,
  first,
  last,
  max,
  min,
  p95,
  sum,
} from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { sessionAggregate, type SessionSpec } from '../../../operators/window/session-operator.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type Form, form, forms, type Sample, samples, stages } from '../../support/row-arbitraries.ts';
import { SessionReference, type SessionReferenceSpec } from '../../support/session-reference.ts';
import { createSubtasks, type Subtasks } from '../../support/subtasks.ts';
import { text } from '../../support/window-reference.ts';

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
  opening: first('level'),
  closing: last('value'),
  devices: distinct('device'),
};

/** @param rows in order of arrival */
function aggregated(rows: readonly Sample[]): unknown {
  const values = rows.flatMap((row) => (row.value === null ? [] : [row.value]));
  const doubles = rows.flatMap((row) => doubled(row) ?? []);
  const total = values.reduce((a, b) => a + b, 0);
  const of = <T>(list: readonly number[], result: T) => (list.length === 0 ? null : result);
  const sorted = values.toSorted((a, b) => a - b);
  const byTime = rows.toSorted((a, b) => a.ts - b.ts);
  return {
    n: rows.length,
    total: of(values, total),
    low: of(values, Math.min(...values)),
    high: of(values, Math.max(...values)),
    mean: of(values, total / values.length),
    top: of(values, values.some(Number.isNaN) ? Number.NaN : sorted[Math.ceil(0.95 * values.length) - 1]),
    levels: rows.reduce((a, row) => a + row.level, 0),
    doubles: of(doubles, Math.max(...doubles)),
    opening: byTime[0]?.level,
    closing: byTime.findLast((row) => row.value !== null)?.value ?? null,
    devices: new Set(rows.flatMap((row) => row.device ?? [])).size,
  };
}

/** Lists what it saw; refuses level −3. */
const listing: AggregateFunction<Sample, { seen: string[] }, string> = {
  createAccumulator: () => ({ seen: [] }),
  add(row, accumulator) {
    if (row.level === -3) throw new Error('refused');
    accumulator.seen.push(`${row.ts}/${row.value}`);
    return accumulator;
  },
  getResult: ({ seen }) => seen.toSorted().join(),
  merge(a, b) {
    a.seen.push(...b.seen);
    return a;
  },
};
const listed = (rows: readonly Sample[]) =>
  rows
    .map((row) => `${row.ts}/${row.value}`)
    .sort()
    .join();

const selectors: readonly (readonly [KeySelector, (row: Sample) => unknown])[] = [
  [{ kind: 'fields', fields: ['tenant'] }, (row) => ({ tenant: row.tenant })],
  [
    { kind: 'fields', fields: ['tenant', 'device'] },
    (row) => (row.device === null ? null : { tenant: row.tenant, device: row.device }),
  ],
  [{ kind: 'function', select: (row) => (row as Sample).level }, (row) => row.level],
  [{ kind: 'function', select: (row) => (row as Sample).device }, (row) => row.device],
];

type Step =
  | { readonly kind: 'records'; readonly rows: readonly Sample[]; readonly form: Form }
  | { readonly kind: 'watermark'; readonly time: number }
  /** A watermark near the last record, where sessions are given, grow again and go. */
  | { readonly kind: 'near'; readonly aheadMs: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const closer = (rows: readonly Sample[]) => rows.map((row) => ({ ...row, ts: Math.trunc(row.ts / 3) }));

const step = (parallelismMax: number): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('records' as const),
        rows: samples({ maxLength: 8 }).map(closer),
        form: form(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('watermark' as const),
        time: fc.integer({ min: -30, max: 60 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('near' as const),
        aheadMs: fc.integer({ min: -10, max: 30 }),
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

/** A gap of 1 to some 20 ms by level; none for some rows. */
const gapByLevel = (row: Sample) =>
  row.level === 2 && row.ok === false ? Number.NaN : 1 + Math.abs(row.level) * 6;

const shape = fc.record({
  gapMs: fc.constantFrom(1, 5, 20, null),
  latenessMs: fc.constantFrom(0, 1, 15, 60),
  selector: fc.constantFrom(...selectors),
  folds: fc.boolean(),
  interpreted: fc.boolean(),
});
type Shape = Omit<typeof shape extends fc.Arbitrary<infer S> ? S : never, 'latenessMs'> & {
  readonly latenessMs: number;
};

function setUp(
  { gapMs, latenessMs, selector: [keys, keyOf], folds, interpreted }: Shape,
  steps: readonly Stage[],
) {
  const spec: SessionSpec = {
    windows: gapMs === null ? session(gapByLevel) : session(gapMs),
    allowedLatenessMs: latenessMs,
    plan: planCells(folds ? {} : aggregates),
    fold: folds ? (listing as AggregateFunction<unknown, unknown, unknown>) : null,
  };
  const reference: SessionReferenceSpec = {
    latenessMs,
    stages: steps,
    keyOf,
    gapOf: (row) => gapMs ?? (Number.isNaN(gapByLevel(row)) ? null : gapByLevel(row)),
    result: folds ? listed : aggregated,
    refuses: (row) => folds && row.level === -3,
  };
  return {
    subtasks: createSubtasks(sessionAggregate(spec), { keys, stages: steps, interpreted }),
    reference: new SessionReference(reference),
  };
}

const named = { MR_KEY_INVALID: 'no key', MR_OPERATOR_FAILED: 'no gap' } as Readonly<Record<string, string>>;

/** What the subtasks wait for, all together. */
function nextEnd(subtasks: Subtasks): number | null {
  const times = subtasks.operators().flatMap((operator) => operator.waiting?.()?.until ?? []);
  return times.length === 0 ? null : Math.min(...times) + 1;
}

/** Runs a script on both; the first difference as text, or null. */
function difference(subtasks: Subtasks, reference: SessionReference, script: readonly Step[]): string | null {
  let watermark = MIN_WATERMARK;
  let latest = 0;
  for (const it of [...script, { kind: 'watermark' as const, time: 1_000 }]) {
    if (it.kind === 'records') {
      subtasks.records(it.rows, (rows) => forms(rows, it.form));
      for (const row of it.rows) reference.record(row);
      latest = it.rows.at(-1)?.ts ?? latest;
    } else if (it.kind !== 'restore') {
      const time = it.kind === 'near' ? latest + it.aheadMs : it.time;
      watermark = Math.max(watermark, time);
      subtasks.watermark(time);
      reference.watermark(time);
    } else subtasks.restore(it.parallelism);
    const { results, late, errors } = subtasks.take();
    const said = {
      results: results.map(text).sort(),
      late: late.map(text).sort(),
      errors: errors.map(({ code, message, row, time }) => text([named[code] ?? message, row, time])).sort(),
    };
    const expected = reference.take();
    if (text(said) !== text(expected))
      return `${text(it)}\n got      ${text(said)}\n expected ${text(expected)}`;
    const timers = subtasks
      .operators()
      .reduce((sum, operator) => sum + (operator.counters?.().timers ?? 0), 0);
    if (timers !== reference.sessions) return `${timers} sessions are open, expected ${reference.sessions}`;
    if (nextEnd(subtasks) !== reference.nextEnd)
      return `waits for ${nextEnd(subtasks)}, expected ${reference.nextEnd}`;
    if (subtasks.watermarks().some((time) => time !== watermark))
      return `watermark ${watermark} was not handed on`;
  }
  return null;
}

void t.test(
  'SO1 SO2 SO3 SO4 SO5 SS2: sessions, late results, late records and dead letters equal a recount from scratch, across restores at any parallelism',
  async () => {
    fc.assert(
      fc.property(shape, fc.array(step(3), { maxLength: 10 }), (how, script) => {
        const { subtasks, reference } = setUp(how, []);
        const wrong = difference(subtasks, reference, script);
        if (wrong !== null) throw new Error(wrong);
      }),
      { numRuns: propertyRuns(400) },
    );
  },
);

void t.test('the same with any stages fused in front', async () => {
  fc.assert(
    fc.property(shape, stages(), fc.array(step(1), { maxLength: 6 }), (how, steps, script) => {
      const { subtasks, reference } = setUp(how, steps);
      const wrong = difference(subtasks, reference, script);
      if (wrong !== null) throw new Error(wrong);
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('SO1 E3: while no record is late, sessions do not depend on the order of arrival', async () => {
  fc.assert(
    fc.property(
      shape,
      samples({ maxLength: 30 }).chain((rows) =>
        fc.tuple(
          fc.constant(rows),
          fc.shuffledSubarray(rows, { minLength: rows.length }),
          fc.integer({ min: -70, max: 130 }),
        ),
      ),
      (how, [rows, shuffled, watermark]) => {
        const latest = (order: readonly Sample[]) => {
          const { subtasks } = setUp({ ...how, latenessMs: 1_000 }, []);
          for (let at = 0; at < order.length; at += 7) {
            subtasks.records(order.slice(at, at + 7), (part) => forms(part, 'columns'));
            if (at >= order.length / 2) subtasks.watermark(watermark);
          }
          subtasks.watermark(500);
          // Windows that grew have given results before: the last of each end counts.
          const sessions = new Map<string, readonly [unknown, number]>();
          for (const result of subtasks.take().results) {
            const { key, window } = result[0] as { key: unknown; window: { start: number; end: number } };
            for (const [at, [known]] of sessions) {
              const before = known as { key: unknown; window: { start: number; end: number } };
              const inside = before.window.start >= window.start && before.window.end <= window.end;
              if (inside && text(before.key) === text(key)) sessions.delete(at);
            }
            sessions.set(text([key, window]), result);
          }
          return [...sessions.values()].map((it) => text(atEqualTimesAlike(it))).sort();
        };
        const [one, other] = [latest(rows), latest(shuffled)];
        if (text(one) !== text(other)) throw new Error(`${text(one)}\n is not ${text(other)}`);
      },
    ),
    { numRuns: propertyRuns(100) },
  );
});

/** Without what may depend on the order of records of one time. */
function atEqualTimesAlike([row, time]: readonly [unknown, number]): unknown {
  const { value, ...rest } = row as { readonly value: unknown };
  if (typeof value === 'string') return [row, time];
  return [{ ...rest, value: { ...(value as object), opening: null, closing: null } }, time];
}
