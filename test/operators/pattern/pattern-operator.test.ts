import fc from 'fast-check';
import t from 'tap';
import { MAX_WATERMARK, MIN_WATERMARK, type Records } from '#engine';
import { eventTime, i32, type Infer, schema, string } from '#wire';
import type { ConditionContext } from '../../../operators/pattern/condition.ts';
import { buildPattern } from '../../../operators/pattern/pattern-builder.ts';
import { patternMatch } from '../../../operators/pattern/pattern-operator.ts';
import type { Pattern } from '../../../operators/pattern/pattern.ts';
import { columnRecords, rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { createSubtasks } from '../../support/subtasks.ts';
import { PatternReference } from './pattern-reference.ts';

const Row = schema('event', { ts: eventTime(1), key: string(2), kind: string(3), id: i32(4) });
type Row = Infer<typeof Row>;
type Captures = Readonly<Record<string, unknown>>;
type Builder = ReturnType<typeof buildPattern>;

/** Conditions over the row alone, over its own step, or over what any step has captured. */
const condition = fc
  .record({
    kinds: fc.constantFrom('a', 'b', 'c', 'ab', 'bc', 'abc'),
    looks: fc.constantFrom('row', 'row', 'row', 'taken', 'captures'),
  })
  .map(({ kinds, looks }) => (event: unknown, context: ConditionContext) => {
    const row = event as Row;
    if (!kinds.includes(row.kind)) return false;
    if (looks === 'taken') return context.taken.length < 2;
    if (looks === 'row') return true;
    const seen = Object.values(context.captures as Captures).flatMap((it) => (it ?? []) as Row | Row[]);
    return seen.every(({ id }) => id !== row.id + 1) && context.timestamp % 7 !== seen.length;
  });

interface StepChoice {
  readonly verb: 'next' | 'followedBy' | 'followedByAny';
  readonly condition: (event: unknown, context: ConditionContext) => boolean;
  readonly times: readonly [number, number] | null;
  readonly inner: 'consecutive' | 'allowCombinations' | null;
  readonly isOptional: boolean;
  readonly isGreedy: boolean;
  readonly until: ((event: unknown, context: ConditionContext) => boolean) | null;
  readonly nots: readonly (readonly ['notNext' | 'notFollowedBy', StepChoice['condition']])[];
}

const often = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 2 });
const step: fc.Arbitrary<StepChoice> = fc.record({
  verb: fc.constantFrom('next', 'followedBy', 'followedByAny'),
  condition,
  times: often(
    fc.constantFrom(
      [1, Number.POSITIVE_INFINITY],
      [2, Number.POSITIVE_INFINITY],
      [0, 2],
      [1, 2],
      [2, 2],
      [1, 3],
    ),
  ),
  inner: often(fc.constantFrom('consecutive', 'allowCombinations')),
  isOptional: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  isGreedy: fc.boolean(),
  until: fc.option(condition, { freq: 2 }),
  nots: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.tuple(fc.constantFrom('notNext', 'notFollowedBy'), condition), { maxLength: 2 }),
    },
  ),
});

const pattern: fc.Arbitrary<Builder> = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 3 }),
    within: fc.constantFrom(null, 1, 3, 6, 12),
    skip: fc.constantFrom('noSkip', 'noSkip', 'skipToNext', 'skipPastLast', 'skipToFirst', 'skipToLast'),
    to: fc.nat({ max: 2 }),
  })
  .map(({ steps, within, skip, to }) => {
    let builder = buildPattern();
    for (const [s, choice] of steps.entries()) builder = addStep(builder, choice, s, s === steps.length - 1);
    const required = builder.plan.parts.findLastIndex((part) => part.kind === 'step' && !part.optional);
    const endsWithNot = builder.plan.parts
      .slice(required + 1)
      .some((part) => part.kind === 'not' && part.contiguity === 'relaxed');
    if (within !== null || endsWithNot) builder = builder.within(within ?? 5);
    const name = `s${to % steps.length}`;
    if (skip === 'skipToFirst' || skip === 'skipToLast') return builder[skip](name);
    return builder[skip]();
  });

function addStep(before: Builder, choice: StepChoice, s: number, isLast: boolean): Builder {
  let builder = before[s === 0 ? 'start' : choice.verb](`s${s}`, choice.condition);
  if (choice.isOptional) builder = builder.optional();
  if (choice.times !== null) {
    const [min, max] = choice.times;
    builder = max === Number.POSITIVE_INFINITY ? builder.timesOrMore(min) : builder.times(min, max);
    if (choice.inner !== null) builder = builder[choice.inner]();
    const staysGreedy = !isLast || choice.nots.length > 0;
    if (choice.isGreedy && choice.inner !== 'allowCombinations' && staysGreedy) builder = builder.greedy();
    if (choice.until !== null && max === Number.POSITIVE_INFINITY) builder = builder.until(choice.until);
  }
  for (const [i, [verb, not]] of choice.nots.entries()) builder = builder[verb](`n${s}.${i}`, not);
  return builder;
}

type Step =
  | { readonly kind: 'records'; readonly rows: readonly Omit<Row, 'id'>[]; readonly inColumns: boolean }
  | { readonly kind: 'watermark'; readonly behind: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const script: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('records' as const),
        inColumns: fc.boolean(),
        rows: fc.array(
          fc.record({
            ts: fc.integer({ min: -2, max: 16 }),
            key: fc.constantFrom('k', 'k', 'l'),
            kind: fc.constantFrom('a', 'b', 'b', 'c'),
          }),
          { minLength: 1, maxLength: 5 },
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('watermark' as const),
        behind: fc.integer({ min: 0, max: 8 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('restore' as const),
        parallelism: fc.integer({ min: 1, max: 3 }),
      }),
    },
  ),
  { maxLength: 8 },
);

/** Events of one key at most: the reference looks at all their subsets. */
const EVENTS_MAX = 8;

/** What came of a script: rows by key, in order, with their times. */
function run(of: Builder, steps: readonly Step[], interpreted: boolean) {
  const subtasks = createSubtasks(
    patternMatch({
      pattern: of as unknown as Pattern<Row, Captures>,
      select: (captures, { key, times }) => ({ key, captures, times }),
    }),
    { keys: { kind: 'fields', fields: ['key'] }, interpreted },
  );
  let watermark = MIN_WATERMARK;
  let newest = -3;
  let id = 0;
  const accepted: Row[] = [];
  const late: unknown[] = [];
  const got = {
    matches: [] as Given[],
    timedOut: [] as Given[],
    late: [] as unknown[],
  };
  const take = (from: number, to: number) => {
    const { results, late: lateRows, errors } = subtasks.take();
    if (errors.length > 0) throw new Error(`threw: ${JSON.stringify(errors)}`);
    const timedOut = subtasks.takeSide('timedOut');
    for (const [, time] of [...results, ...timedOut])
      if (time <= from || time > to)
        throw new Error(`a result of ${time} came between watermarks ${from} and ${to}`);
    got.matches.push(...(results as unknown as Given[]));
    got.timedOut.push(...(timedOut as unknown as Given[]));
    got.late.push(...lateRows.map(([row]) => row));
  };
  for (const it of [...steps, { kind: 'watermark' as const, behind: MIN_WATERMARK }]) {
    const before = watermark;
    if (it.kind === 'records') {
      const rows = it.rows
        .map((row): Row => ({ ...row, id: id++ }))
        .filter((row) => {
          const ofKey = accepted.filter(({ key }) => key === row.key);
          if (row.ts > watermark && ofKey.length === EVENTS_MAX) return false;
          (row.ts > watermark ? accepted : late).push(row);
          newest = Math.max(newest, row.ts);
          return true;
        });
      if (rows.length > 0) subtasks.records(rows, it.inColumns ? columns : plain);
    } else if (it.kind === 'watermark') {
      watermark = Math.max(watermark, Math.min(MAX_WATERMARK, newest - it.behind));
      subtasks.watermark(watermark);
    } else subtasks.restore(it.parallelism);
    take(before, watermark);
  }
  return { ...got, accepted, expectedLate: late };
}

type Given = readonly [{ readonly key: { readonly key: string }; readonly captures: Captures }, number];

const columns = (rows: readonly Row[]): Records => columnRecords(Row, rows);
const plain = (rows: readonly Row[]): Records =>
  rowRecords(
    rows,
    rows.map(({ ts }) => ts),
  );

/** Captures as ids, steps that took nothing left out. */
function text(captures: Captures, time: number | null): string {
  const ids = Object.entries(captures).flatMap(([name, it]) => {
    const rows = (Array.isArray(it) ? it : it === undefined ? [] : [it]) as Row[];
    return rows.length === 0 ? [] : [`${name}=${rows.map(({ id }) => id).join(',')}`];
  });
  return ids.join(' ') + (time === null ? '' : ` @${time}`);
}

function ofKey(given: readonly Given[], key: string, timed: boolean): string[] {
  return given.flatMap(([row, time]) => (row.key.key === key ? text(row.captures, timed ? time : null) : []));
}

void t.test(
  'E13 PA1 PA2 MA2 SK1 SK2 SK3: any pattern over any stream gives the matches of its definition',
  async (test) => {
    const seen = { matches: 0, timedOut: 0, late: 0 };
    const property = fc.property(pattern, script, fc.boolean(), (of, steps, interpreted) => {
      const got = run(of, steps, interpreted);
      const skips = of.plan.skip.kind !== 'none';
      const ids = (rows: readonly unknown[]) => (rows as Row[]).map(({ id }) => id).sort((a, b) => a - b);
      assertSame(ids(got.late).map(String), ids(got.expectedLate).map(String), 'late');
      seen.matches += Math.sign(got.matches.length);
      seen.timedOut += Math.sign(got.timedOut.length);
      seen.late += Math.sign(got.late.length);
      for (const key of ['k', 'l']) {
        const rows = got.accepted.filter((row) => row.key === key).toSorted((a, b) => a.ts - b.ts);
        const reference = new PatternReference(
          of.plan,
          rows.map((row) => ({ row, time: row.ts })),
        );
        const expected = reference.given().map(({ captures, time }) => text(captures, skips ? null : time));
        assertSame(ofKey(got.matches, key, !skips), expected, 'matches');
        const timedOut = new Set(reference.timedOut().map(({ captures, time }) => text(captures, time)));
        const gotTimedOut = ofKey(got.timedOut, key, true);
        if (skips)
          assertSame(
            gotTimedOut.filter((it) => !timedOut.has(it)),
            [],
            'timed out, but should not',
          );
        else assertSame(gotTimedOut.toSorted(), [...timedOut].sort(), 'timed out');
      }
    });
    const numRuns = propertyRuns(500);
    fc.assert(property, { numRuns });
    test.ok(seen.matches > numRuns / 4, `${seen.matches} of ${numRuns} streams had matches`);
    test.ok(seen.timedOut > numRuns / 8, `${seen.timedOut} had timeouts`);
    test.ok(seen.late > numRuns / 8, `${seen.late} had late records`);
  },
);

function assertSame(got: readonly string[], expected: readonly string[], what: string): void {
  if (JSON.stringify(got) === JSON.stringify(expected)) return;
  throw new Error(`${what}\n got      ${got.join(' | ')}\n expected ${expected.join(' | ')}`);
}
