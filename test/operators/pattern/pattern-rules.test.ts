import t from 'tap';
import { errorCode, errorText, type OperatorState } from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import type { ConditionContext } from '../../../operators/pattern/condition.ts';
import { buildPattern } from '../../../operators/pattern/pattern-builder.ts';
import { patternMatch } from '../../../operators/pattern/pattern-operator.ts';
import { type Pattern, pattern } from '../../../operators/pattern/pattern.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly key: string;
  readonly kind: string;
  readonly n: number;
}
const keys = { kind: 'fields', fields: ['key'] } as const;
const is = (kind: string) => (row: Row) => row.kind === kind;
const row = (key: string, kind: string, n = 0): Row => ({ key, kind, n });
const ab = pattern<Row>().start('a', is('a')).followedBy('b', is('b')).within(10);

function open<C>(
  of: Pattern<Row, C>,
  options: {
    readonly interpreted?: boolean;
    readonly partialMatchesMax?: number;
    readonly fail?: boolean;
  } = {},
) {
  const bench = createOperatorBench({
    keys,
    interpreted: options.interpreted ?? false,
    onError: options.fail === true ? 'fail' : 'dead-letter',
  });
  const operator = patternMatch({
    pattern: of,
    select: (match, { key, times }) => ({ key, ...match, times }),
    ...(options.partialMatchesMax === undefined ? {} : { partialMatchesMax: options.partialMatchesMax }),
  }).create(bench.context);
  const records = (...rows: readonly (readonly [Row, number])[]) =>
    operator.records(
      rowRecords(
        rows.map(([it]) => it),
        rows.map(([, time]) => time),
      ),
    );
  return { bench, operator, records };
}

/** A snapshot as it comes back from storage. */
function stored(state: OperatorState | undefined): OperatorState {
  if (state === undefined) throw new Error('a pattern operator has state');
  const decoded = decodeSnapshot(encodeSnapshot(state), [0, 127]);
  // Groups are decoded whenever they are asked for; here once, so that a change of them would show.
  return { ...decoded, groups: new Map(decoded.groups) };
}

const all = (bench: OperatorBench) => ({
  output: bench.output.take(),
  late: bench.side('late').take(),
  timedOut: bench.side('timedOut').take(),
});
const watermark = (time: number) => ({ kind: 'watermark' as const, time });
const idle = { kind: 'idle' as const };

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(`E13 PA1 PA3 PA5: out of order, across keys, at the watermark (${how})`, async (test) => {
    const { bench, operator, records } = open(ab, { interpreted });
    records([row('k', 'b'), 4], [row('l', 'a'), 2], [row('k', 'a'), -3], [row('l', 'b'), 3]);
    test.same(all(bench), { output: [], late: [], timedOut: [] }, 'nothing before the watermark');
    operator.watermark(3);
    const match = (key: string, first: number, last: number) => ({
      kind: 'row' as const,
      row: { key: { key }, a: row(key, 'a'), b: row(key, 'b'), times: { first, last, at: last } },
      time: last,
    });
    test.same(all(bench), {
      output: [match('l', 2, 3), watermark(3)],
      late: [watermark(3)],
      timedOut: [watermark(3)],
    });
    records([row('k', 'b'), 3], [row('k', 'x'), 5]);
    test.same(all(bench).late, [{ kind: 'row', row: row('k', 'b'), time: 3 }], 'at the watermark is late');
    test.equal(operator.counters?.().lateRecords, 1);
    operator.watermark(5);
    operator.watermark(4);
    test.same(all(bench).output, [match('k', -3, 4), watermark(5)]);
    operator.idle();
    test.same(all(bench), { output: [idle], late: [idle], timedOut: [idle] });
  });

  void t.test(`E13 PA2: timeouts go to their side with first event + within (${how})`, async (test) => {
    const { bench, operator, records } = open(ab, { interpreted });
    records([row('k', 'a', 1), 0], [row('l', 'a', 2), 3], [row('k', 'b'), 10]);
    operator.watermark(9);
    test.same(all(bench).timedOut, [watermark(9)]);
    operator.watermark(50);
    const timedOut = (key: string, n: number, start: number) => ({
      kind: 'row' as const,
      row: { key: { key }, captures: { a: row(key, 'a', n) }, start, end: start + 10 },
      time: start + 10,
    });
    const { output, timedOut: given } = all(bench);
    test.same(given, [timedOut('k', 1, 0), timedOut('l', 2, 3), watermark(50)]);
    test.same(output, [watermark(50)], 'an event at the timeout comes too late');
  });
}

void t.test('E13: ties are in order of arrival', async (test) => {
  const { bench, operator, records } = open(ab);
  records([row('k', 'b', 1), 5], [row('k', 'a', 2), 5], [row('k', 'b', 3), 5]);
  operator.watermark(5);
  test.same(
    bench.output.rows().map((it) => (it as { b: Row }).b.n),
    [3],
  );
});

void t.test('E13: waiting says when something comes without a new record', async (test) => {
  const { operator, records } = open(ab);
  test.equal(operator.waiting?.(), null);
  records([row('k', 'a'), 5], [row('k', 'x'), 7]);
  test.same(operator.waiting?.(), { what: 'pattern', until: 5, count: 2 });
  operator.watermark(7);
  test.same(operator.waiting?.(), { what: 'pattern', until: 15, count: 1 });
  records([row('k', 'b'), 9]);
  operator.watermark(9);
  test.equal(operator.waiting?.(), null, 'nothing is under way');
  const endless = open(pattern<Row>().start('a', is('a')).followedBy('b', is('b')));
  endless.records([row('k', 'a'), 5]);
  endless.operator.watermark(5);
  test.equal(endless.operator.waiting?.(), null, 'without within only a record gives something');
});

void t.test('E13: keys are let go when nothing is under way for them', async (test) => {
  const { operator, records } = open(ab);
  for (let n = 0; n < 50; n++) {
    records([row(`k${n}`, 'a'), n], [row(`x${n}`, 'x'), n]);
    operator.watermark(n);
  }
  test.equal(
    operator.counters?.().keys,
    12,
    'those of the last 10 ms, and two that the next records give back',
  );
  records();
  operator.watermark(1000);
  records();
  test.equal(operator.counters?.().keys, 0);
});

void t.test('E13 PA4: a record that throws in a condition is as if it had not come', async (test) => {
  const of = pattern<Row>()
    .start('a', is('a'))
    .next('b', (it) => {
      if (it.n === 13) throw new Error('unlucky');
      return it.kind === 'b';
    })
    .within(10);
  const { bench, operator, records } = open(of);
  records([row('k', 'a'), 1], [row('k', 'a', 13), 2], [row('k', 'b'), 3]);
  operator.watermark(3);
  test.equal(bench.output.rows().length, 1, 'the strict neighbour is the next that did not throw');
  test.same(bench.errors, [{ code: 'NONE', message: 'unlucky', row: row('k', 'a', 13), time: 2 }]);
  const failing = open(of, { fail: true });
  failing.records([row('k', 'a'), 1], [row('k', 'a', 13), 2]);
  test.throws(() => failing.operator.watermark(3), { message: 'unlucky' });
});

void t.test('E13 PA4: a result that throws is missing alone', async (test) => {
  const bench = createOperatorBench({ keys });
  const boom = (what: string) => (captures: { readonly a?: Row }) => {
    if (captures.a?.n === 13) throw new Error(what);
    return captures.a?.n === 0 ? undefined : captures.a?.n;
  };
  const spec = { pattern: ab, select: boom('match'), timedOut: boom('timeout') };
  const operator = patternMatch(spec).create(bench.context);
  const times = [1, 1, 1, 2, 5, 5, 5];
  const rows = [13, 0, 2].map((n) => row('k', 'a', n));
  operator.records(rowRecords([...rows, row('k', 'b'), ...rows], times));
  operator.watermark(100);
  test.same(bench.output.rows(), [2], 'undefined gives nothing');
  test.same(bench.side('timedOut').rows(), [2]);
  const match = { a: row('k', 'a', 13), b: row('k', 'b') };
  test.same(bench.errors, [
    { code: 'NONE', message: 'match', row: { key: { key: 'k' }, match }, time: 2 },
    { code: 'NONE', message: 'timeout', row: { key: { key: 'k' }, match: { a: match.a } }, time: 15 },
  ]);
});

void t.test('E13: partial matches of a key are bounded, and the error names the key', async (test) => {
  const of = pattern<Row>().start('a', is('a')).followedByAny('b', is('b')).followedBy('c', is('c'));
  const { bench, operator, records } = open(of, { partialMatchesMax: 3 });
  records([row('k', 'a'), 1], [row('k', 'b'), 2], [row('k', 'b'), 3], [row('k', 'b'), 4], [row('l', 'a'), 5]);
  operator.watermark(5);
  test.equal(bench.errors.length, 1);
  test.match(bench.errors[0], { code: 'MR_OPERATOR_FAILED', row: row('k', 'b'), time: 4 });
  test.match(bench.errors[0]?.message, '4 partial matches of key {"key":"k"}, more than 3');
  records([row('k', 'c'), 6]);
  operator.watermark(6);
  test.equal(bench.output.rows().length, 2, 'what was there goes on');
  const unbounded = { pattern: of, select: () => 1, partialMatchesMax: 0 };
  test.throws(() => patternMatch(unbounded), { code: 'MR_CONFIG_INVALID' });
});

void t.test(
  'E13 PA5: a snapshot holds buffered records, partial and held matches, and is not changed later',
  async (test) => {
    const of = pattern<Row>()
      .start('a', is('a'))
      .followedByAny('b', is('b'))
      .oneOrMore()
      .allowCombinations()
      .followedBy('c', (it, { captures }) => it.kind === 'c' && it.n === captures.a.n)
      .within(100)
      .skipPastLast();
    const first = open(of);
    const script = [
      [row('k', 'a', 1), 1],
      [row('k', 'a', 2), 2],
      [row('k', 'b', 3), 3],
      [row('k', 'b', 4), 4],
      [row('k', 'c', 2), 5],
      [row('k', 'c', 7), 8],
    ] as const;
    first.records(...script);
    first.operator.watermark(6);
    test.same(first.bench.output.rows(), [], 'the match of the second waits for the first');
    const state = stored(first.operator.snapshot?.());
    const group = [...state.groups.values()][0] as { readonly events: { readonly row: readonly unknown[] } };
    test.equal(group.events.row.length, 5, 'each captured event is there once');
    const unchanged = structuredClone(state);
    first.operator.watermark(200);
    const restored = open(of);
    restored.operator.restore?.([state]);
    test.same(state, unchanged);
    test.same(stored(restored.operator.snapshot?.()), state, 'what is put back is what was there');
    restored.operator.watermark(200);
    test.same(restored.bench.output.given, first.bench.output.given.slice(1));
    test.same(restored.bench.side('timedOut').given, first.bench.side('timedOut').given.slice(1));
    test.equal(restored.bench.output.rows().length, 1, 'one, for the held matches overlap');
  },
);

void t.test(
  'E13: partial matches of another pattern are refused, records before the watermark are not',
  async (test) => {
    const { operator, records } = open(ab);
    records([row('k', 'a'), 1]);
    const other = pattern<Row>().start('a', is('a')).next('b', is('b')).within(10);
    open(other).operator.restore?.([stored(operator.snapshot?.())]);
    operator.watermark(1);
    const state = stored(operator.snapshot?.());
    test.throws(() => open(other).operator.restore?.([state]), {
      code: 'MR_STATE_INCOMPATIBLE',
      message:
        "Operator 'under-test' has stored partial matches of start('a').followedBy('b'), the job's pattern is start('a').next('b'). " +
        'Give the operator a new id to start it afresh.',
    });
    open(ab.within(99).skipToNext()).operator.restore?.([state]);
  },
);

/** Calls that types refuse, too: a job may be plain JavaScript. */
void t.test('E13: what cannot be a pattern is refused when it is built', async (test) => {
  const yes = () => true;
  const start = () => buildPattern().start('a', yes);
  const build = (of: ReturnType<typeof buildPattern>) =>
    patternMatch({ pattern: of as unknown as Pattern<Row, unknown>, select: () => 1 });
  const refused: readonly (readonly [() => unknown, RegExp])[] = [
    [() => build(buildPattern()), /needs a step/],
    [() => build(buildPattern().notNext('n', yes)), /needs a step/],
    [() => build(buildPattern().notNext('n', yes).next('a', yes)), /cannot begin with .*'n'/],
    [() => buildPattern().optional(), /begins with start/],
    [() => start().next('a', yes), /two steps named 'a'/],
    [() => start().notFollowedBy('a', yes), /two steps named 'a'/],
    [() => start().next('', yes), /cannot be named ''/],
    [() => build(start().notFollowedBy('n', yes)), /notFollowedBy\('n'\).*within/],
    [() => build(start().notFollowedBy('n', yes).next('b', yes).optional()), /notFollowedBy\('n'\).*within/],
    [() => build(start().skipToFirst('b')), /skips to 'b'.*one of 'a'/],
    [() => build(start().notNext('n', yes).skipToLast('n')), /skips to 'n'/],
    [() => build(start().oneOrMore().greedy()), /'a' is greedy and the last/],
    [() => start().oneOrMore().allowCombinations().greedy(), /greedy and allows combinations/],
    [() => start().oneOrMore().consecutive().allowCombinations(), /either consecutive or/],
    [() => start().greedy(), /repeated step/],
    [() => start().until(yes), /repeated step/],
    [() => start().times(2).until(yes), /at most 2 times/],
    [() => start().oneOrMore().until(yes).until(yes), /already has an until/],
    [() => start().oneOrMore().times(2), /already says/],
    [() => start().notNext('n', yes).optional(), /optional\(\) does not apply to 'n'/],
    [
      () =>
        build(
          Array.from({ length: 29 }).reduce<ReturnType<typeof start>>(
            (of, _, i) => of.next(`s${i}`, yes),
            start(),
          ),
        ),
      /at most 28/,
    ],
  ];
  for (const [make, message] of refused) {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    test.equal(errorCode(error), 'MR_GRAPH_INVALID', String(message));
    test.match(errorText(error), message);
  }
  for (const make of [
    () => start().times(0),
    () => start().times(3, 2),
    () => start().times(1.5),
    () => start().timesOrMore(-1),
    () => start().within(0),
    () => start().within('soon' as '1s'),
  ])
    test.throws(make, { code: 'MR_CONFIG_INVALID' });
});

void t.test('E13: 28 steps are possible', async (test) => {
  const of = Array.from({ length: 27 }).reduce<ReturnType<typeof buildPattern>>(
    (before, _, i) => before.next(`s${i}`, (it) => (it as Row).n === i + 1).optional(),
    buildPattern().start('a', (it) => (it as Row).n === 0),
  );
  const bench = createOperatorBench({ keys });
  const operator = patternMatch({
    pattern: of.notFollowedBy('x', is('x') as () => boolean).within(100) as unknown as Pattern<Row, object>,
    select: (match) => Object.values(match).filter((it) => it !== undefined).length,
  }).create(bench.context);
  const numbers = Array.from({ length: 28 }, (_, i) => i);
  operator.records(
    rowRecords(
      numbers.map((n) => row('k', 'a', n)),
      numbers,
    ),
  );
  operator.watermark(1000);
  test.same(
    bench.output.rows(),
    numbers.map((n) => 28 - n),
    'each leaves one more out at the end',
  );
});

void t.test('E13: a condition that does not look at the captures is asked once per event', async (test) => {
  let asked = 0;
  let askedOfEach = 0;
  const of = buildPattern()
    .start('a', is('a') as () => boolean)
    .followedByAny('b', (it) => {
      asked++;
      return (it as Row).kind === 'b';
    })
    .followedBy('c', (it: unknown, { captures }: ConditionContext) => {
      askedOfEach++;
      return (it as Row).kind === 'c' && captures !== null;
    });
  const { operator, records } = open(of as unknown as Pattern<Row, object>);
  records(
    ...Array.from({ length: 10 }, (_, i) => [row('k', 'a'), i] as const),
    [row('k', 'b'), 10],
    [row('k', 'c'), 11],
  );
  operator.watermark(11);
  test.equal(asked, 11, 'by each event after the first');
  test.equal(askedOfEach, 10, 'by each partial match that waits for it');
});
