import t from 'tap';
import { MAX_WATERMARK, type Operator, type OperatorDefinition, type OperatorState } from '#engine';
import type { AggregateFunction } from '#operators';
import { avg, count, max, sum } from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { session, type SessionWindows } from '../../../operators/window/session-assigner.ts';
import { sessionAggregate } from '../../../operators/window/session-operator.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly key: string;
  readonly value: number | null;
}
type Fold = AggregateFunction<unknown, unknown, unknown>;
const keys = { kind: 'fields', fields: ['key'] } as const;

const spec = (latenessMs = 0, windows: SessionWindows<never> = session(10), fold: unknown = null) =>
  sessionAggregate({
    windows,
    allowedLatenessMs: latenessMs,
    plan: planCells(fold === null ? { n: count(), total: sum('value') } : {}),
    fold: fold as Fold | null,
  });
const give = (bench: OperatorBench) => bench.output.take();
const late = (bench: OperatorBench) =>
  bench
    .side('late')
    .take()
    .flatMap((it) => (it.kind === 'row' ? [it.time] : []));
/** Records by key and time; the value says the gap where gaps are dynamic. */
const records = (...rows: readonly (readonly [key: string, time: number, value?: number])[]) =>
  rowRecords(
    rows.map(([key, , value]): Row => ({ key, value: value ?? 1 })),
    rows.map(([, time]) => time),
  );
const result = (key: string, start: number, end: number, n: number, total = n) => ({
  kind: 'row' as const,
  row: { key: { key }, window: { start, end }, value: { n, total } },
  time: end - 1,
});
const watermark = (time: number) => ({ kind: 'watermark' as const, time });
const byValue = session((row: Row) => row.value as number) as SessionWindows<never>;

/** Lists what it saw, in the order given; refuses 13, and cannot merge a later part that has seen 99. */
const listing: AggregateFunction<Row, { seen: string[] }, string> = {
  createAccumulator: () => ({ seen: [] }),
  add(row, accumulator) {
    if (row.value === 13) throw new Error('refused');
    accumulator.seen.push(`${row.value}`);
    return accumulator;
  },
  getResult: ({ seen }) => seen.join(),
  merge(a, b) {
    if (b.seen.includes('99')) throw new Error('cannot merge');
    a.seen.push(...b.seen);
    return a;
  },
};

for (const interpreted of [false, true]) {
  const open = (definition: OperatorDefinition<Operator>) => {
    const bench = createOperatorBench({ keys, interpreted });
    return { bench, operator: definition.create(bench.context) };
  };
  /** A new operator with what the others have stored. */
  const reopen = (definition: OperatorDefinition<Operator>, ...from: readonly Operator[]) => {
    const opened = open(definition);
    const range = [0, 127] as const;
    const parts = from.map((operator) =>
      decodeSnapshot(encodeSnapshot(operator.snapshot?.() as OperatorState), range),
    );
    opened.operator.restore?.(parts);
    return opened;
  };
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(`SO1 SO2: a record opens [t, t + gap); the result comes at end − 1 (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    operator.records(records(['a', 100], ['b', -25]));
    operator.watermark(108);
    test.same(give(bench), [result('b', -25, -15, 1), watermark(108)]);
    operator.watermark(109);
    test.same(give(bench), [result('a', 100, 110, 1), watermark(109)]);
    test.same(bench.side('late').take(), [watermark(108), watermark(109)]);
    operator.watermark(109);
    operator.watermark(5);
    test.same(give(bench), [], 'a watermark that does not rise is ignored');
  });

  void t.test(`SO1 SS1: records exactly the gap apart merge, 1 ms more does not (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    operator.records(records(['a', 0], ['a', 10], ['b', 0], ['b', 11]));
    operator.records(records(['c', 10], ['c', 0], ['d', 11], ['d', 0], ['e', -10], ['e', -20]));
    operator.watermark(100);
    test.same(give(bench), [
      result('e', -20, 0, 2),
      result('b', 0, 10, 1),
      result('d', 0, 10, 1),
      result('c', 0, 20, 2),
      result('a', 0, 20, 2),
      result('b', 11, 21, 1),
      result('d', 11, 21, 1),
      watermark(100),
    ]);
  });

  void t.test(
    `SO1: a record between two sessions makes them one, whose state it keeps (${how})`,
    async (test) => {
      const { bench, operator } = open(spec());
      operator.records(records(['a', 0, 1], ['a', 3, 2], ['a', 20, 4], ['a', 40, 8]));
      test.equal(operator.counters?.().timers, 3);
      operator.records(records(['a', 12, 16]));
      test.equal(operator.counters?.().timers, 2, 'the timer of the session that vanished is gone with it');
      operator.watermark(28);
      test.same(give(bench), [watermark(28)], 'nothing comes at the end that the first part had');
      operator.watermark(29);
      test.same(give(bench), [result('a', 0, 30, 4, 23), watermark(29)]);
      operator.watermark(49);
      test.same(give(bench), [result('a', 40, 50, 1, 8), watermark(49)]);
    },
  );

  void t.test(`SO2 SS3: a session that grows gives one result, at its last end (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    for (let time = 0; time <= 100; time += 5) {
      operator.records(records(['a', time]));
      operator.watermark(time - 1);
      test.same(give(bench), [watermark(time - 1)]);
    }
    operator.watermark(108);
    test.same(give(bench), [watermark(108)]);
    operator.watermark(109);
    test.same(give(bench), [result('a', 0, 110, 21), watermark(109)]);
  });

  void t.test(`SO2: results of one watermark come in order of their ends (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    operator.records(records(['grown', 0], ['b', 1], ['c', 4], ['grown', 9]));
    operator.watermark(1000);
    test.same(
      give(bench).flatMap((it) => (it.kind === 'idle' ? [] : [it.time])),
      [10, 13, 18, 1000],
    );
  });

  void t.test(
    `SO4: a record is late only when its own window is over and it touches no session (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(5));
      operator.records(records(['a', 0], ['a', 8]));
      operator.watermark(13);
      operator.records(records(['b', 4], ['c', -1]));
      test.same(late(bench), [-1], 'of two records before the watermark one is late: −1 + 10 − 1 + 5 ≤ 13');
      test.same(give(bench), [watermark(13), result('b', 4, 14, 1)]);
      operator.records(records(['a', -5], ['a', -16]));
      test.same(late(bench), [-16], 'what touches a session is never late');
      operator.watermark(17);
      test.same(give(bench), [result('a', -5, 18, 3), watermark(17)]);
      test.equal(operator.counters?.().lateRecords, 2);
    },
  );

  void t.test(
    `SO3: a late record that is allowed gives the session's result again at once, one result each (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(100));
      operator.records(records(['a', 0]));
      operator.watermark(50);
      give(bench);
      operator.records(records(['a', 3], ['a', 1], ['a', 20], ['a', 12]));
      test.same(give(bench), [
        result('a', 0, 13, 2),
        result('a', 0, 13, 3),
        result('a', 20, 30, 1),
        result('a', 0, 30, 5),
      ]);
      test.same(late(bench), []);
    },
  );

  void t.test(
    `SO3: a given session that grows beyond the watermark is pending again (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(100));
      operator.records(records(['a', 0]));
      operator.watermark(9);
      give(bench);
      operator.records(records(['a', 5]));
      test.same(give(bench), [], 'its new end − 1 is 14');
      test.same(operator.waiting?.(), { what: 'window', until: 14, count: 1 });
      operator.records(records(['a', 7]));
      operator.watermark(15);
      test.same(give(bench), [watermark(15)], 'it has grown once more');
      operator.watermark(16);
      test.same(give(bench), [result('a', 0, 17, 3), watermark(16)]);
      test.equal(operator.waiting?.(), null);
    },
  );

  void t.test(
    `SS2: state goes at end − 1 + lateness; then a record is late or begins anew (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(5));
      operator.records(records(['a', 0]));
      operator.watermark(13);
      test.equal(operator.counters?.().timers, 1);
      operator.watermark(14);
      test.equal(operator.counters?.().timers, 0);
      give(bench);
      operator.records(records(['a', 0], ['a', 1], ['b', 14]));
      test.same(late(bench), [0]);
      test.same(give(bench), [result('a', 1, 11, 1)], 'not with what it touched once');
      operator.watermark(1000);
      test.same([give(bench), operator.counters?.().timers], [[result('b', 14, 24, 1), watermark(1000)], 0]);
    },
  );

  void t.test(
    `the end of a bounded input gives everything, also near the end of time (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(MAX_WATERMARK));
      operator.records(records(['a', 0], ['b', MAX_WATERMARK - 3], ['b', MAX_WATERMARK - 1]));
      operator.watermark(MAX_WATERMARK);
      test.same(give(bench), [
        result('a', 0, 10, 1),
        result('b', MAX_WATERMARK - 3, MAX_WATERMARK, 2),
        watermark(MAX_WATERMARK),
      ]);
      test.equal(operator.counters?.().timers, 0);
    },
  );

  void t.test(`SO1: gaps by record; a long one takes in many sessions (${how})`, async (test) => {
    const { bench, operator } = open(spec(0, byValue));
    operator.records(records(['a', 0, 1], ['a', 10, 2], ['a', 20, 3], ['a', 60, 4], ['a', 5, 50]));
    operator.watermark(100);
    test.same(give(bench), [
      result('a', 0, 1, 1),
      result('a', 5, 55, 3, 55),
      result('a', 60, 64, 1, 4),
      watermark(100),
    ]);
    operator.records(records(['b', 200, 100], ['b', 210, 1], ['b', 300, 1]));
    operator.watermark(299);
    test.same(give(bench), [watermark(299)], 'a shorter gap does not shorten a session');
    operator.watermark(300);
    test.same(give(bench), [result('b', 200, 301, 3, 102), watermark(300)]);
    operator.records(records(['c', 400, 2], ['c', 400, 6], ['c', 400, 6]));
    operator.watermark(500);
    const own = 'a record whose own window is the session joins what is in it';
    test.same(give(bench), [result('c', 400, 406, 3, 14), watermark(500)], own);
  });

  void t.test(`a gap that is no whole number above 0 is an operator error (${how})`, async (test) => {
    const { bench, operator } = open(spec(0, byValue));
    const bad = [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];
    operator.records(records(['a', 0, 5], ...bad.map((gap) => ['a', 1, gap] as const), ['a', 2, 5]));
    operator.watermark(100);
    test.same(give(bench), [result('a', 0, 7, 2, 10), watermark(100)]);
    test.same(
      bench.errors.map(({ code, time }) => [code, time]),
      bad.map(() => ['MR_OPERATOR_FAILED', 1]),
    );
    test.match(bench.errors[2]?.message, /whole number of ms above 0, the gap function gave 0.5/);
  });

  void t.test(
    `SO5: what was given is not given again after a restore, what was open goes on (${how})`,
    async (test) => {
      const { operator: before } = open(spec(100));
      before.records(records(['a', 0], ['b', 5]));
      before.watermark(9);
      const { bench, operator } = reopen(spec(100), before);
      test.same(operator.waiting?.(), { what: 'window', until: 14, count: 1 });
      operator.watermark(12);
      operator.records(records(['a', 1], ['c', -200]));
      test.same([give(bench), late(bench)], [[watermark(12), result('a', 0, 11, 2)], [-200]]);
      operator.watermark(1000);
      test.same(give(bench), [result('b', 5, 15, 1), watermark(1000)]);
    },
  );

  void t.test(
    `SO5: … also where the stored parts had reached different watermarks (${how})`,
    async (test) => {
      for (const latenessMs of [0, 50]) {
        const { operator: ahead } = open(spec(latenessMs));
        ahead.records(records(['a', 0], ['b', 1]));
        ahead.watermark(20);
        const { operator: behind } = open(spec(latenessMs));
        behind.records(records(['c', 0]));
        behind.watermark(3);
        const { bench, operator } = reopen(spec(latenessMs), ahead, behind);
        operator.watermark(9);
        test.same(give(bench), [result('c', 0, 10, 1), watermark(9)]);
        if (latenessMs > 0) operator.records(records(['b', 2]));
        operator.watermark(1000);
        const changed = latenessMs > 0 ? [result('b', 1, 12, 2)] : [];
        test.same(give(bench), [...changed, watermark(1000)], 'a changed session is given again');
      }
    },
  );

  void t.test(`a session that is over by a job's new lateness is not restored (${how})`, async (test) => {
    const { operator: before } = open(spec(100));
    before.records(records(['a', 0], ['b', 30]));
    before.watermark(20);
    const { bench, operator } = reopen(spec(0), before);
    test.equal(operator.counters?.().timers, 1);
    operator.watermark(1000);
    test.same(give(bench), [result('b', 30, 40, 1), watermark(1000)]);
  });

  void t.test(`SO6: a record that a user's aggregate throws on leaves no trace (${how})`, async (test) => {
    const { bench, operator } = open(spec(0, session(10), listing));
    operator.records(records(['a', 0, 13], ['b', 0, 1], ['b', 9, 13], ['c', 0, 1], ['c', 11, 2]));
    operator.records(records(['c', 5, 13], ['d', 0, 1], ['d', 11, 99], ['d', 5, 3]));
    operator.watermark(1000);
    test.same(
      give(bench).flatMap((it) => (it.kind === 'row' ? [it.row] : [])),
      [
        { key: { key: 'b' }, window: { start: 0, end: 10 }, value: '1' },
        { key: { key: 'c' }, window: { start: 0, end: 10 }, value: '1' },
        { key: { key: 'd' }, window: { start: 0, end: 10 }, value: '1' },
        { key: { key: 'c' }, window: { start: 11, end: 21 }, value: '2' },
        { key: { key: 'd' }, window: { start: 11, end: 21 }, value: '99' },
      ],
    );
    test.same(
      bench.errors.map(({ message }) => message),
      ['refused', 'refused', 'refused', 'cannot merge'],
    );
  });

  void t.test(
    `SO1: accumulators are merged by rising time, then the record is added (${how})`,
    async (test) => {
      const gap = session((row: Row) => (row.value === 7 ? 100 : 1)) as SessionWindows<never>;
      const { bench, operator } = open(spec(0, gap, listing));
      operator.records(records(['a', 30, 3], ['a', 10, 1], ['a', 20, 2], ['a', 5, 7]));
      operator.watermark(1000);
      test.match(give(bench)[0], { row: { window: { start: 5, end: 105 }, value: '1,2,3,7' } });
    },
  );

  void t.test(`a result that throws is an operator error of its session (${how})`, async (test) => {
    const throwing = {
      ...listing,
      getResult() {
        throw new Error('no result');
      },
    };
    const { bench, operator } = open(spec(0, session(10), throwing));
    operator.records(records(['a', 0]));
    operator.watermark(9);
    test.same(give(bench), [watermark(9)]);
    test.match(bench.errors, [
      { message: 'no result', row: { key: { key: 'a' }, window: { start: 0, end: 10 } }, time: 9 },
    ]);
    test.equal(operator.counters?.().timers, 0);
  });

  void t.test(`idleness is handed on and stored (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    operator.idle();
    test.same([give(bench), bench.side('late').take()], [[{ kind: 'idle' }], [{ kind: 'idle' }]]);
    test.equal(operator.snapshot?.().idle, true);
    operator.records(records(['a', 0]));
    test.equal(operator.snapshot?.().idle, false);
  });

  void t.test(
    `SS2 CR1: state is bounded by open sessions, not by the keys ever seen (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(5));
      let most = 0;
      for (let round = 0; round < 300; round++) {
        const rows = Array.from(
          { length: 100 },
          (_, i) => [`key-${round}-${i}`, round * 10 + (i % 10)] as const,
        );
        operator.records(records(...rows));
        operator.watermark(round * 10 + 9);
        most = Math.max(most, operator.counters?.().keys ?? Number.NaN);
      }
      test.ok(most <= 400, `at most ${most} of 30 000 keys are held at once`);
      operator.watermark(1e6);
      test.equal(bench.output.rows().length, 30_000);
      operator.records(records(['one', 2e6]));
      test.ok((operator.counters?.().keys ?? Number.NaN) <= 1);
      operator.watermark(3e6);
      test.match(bench.output.rows().at(-1), { value: { n: 1, total: 1 } }, 'a used row starts empty');
    },
  );

  void t.test(`many sessions per key and many keys with one each (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    const times = Array.from({ length: 3_000 }, (_, i) => ((i * 1_117) % 3_000) * 20);
    operator.records(records(...times.map((time) => ['many', time] as const)));
    operator.records(records(...times.map((time) => [`key-${time}`, time] as const)));
    test.equal(operator.counters?.().timers, 6_000);
    const restored = reopen(spec(), operator);
    for (const { operator: one, bench: of } of [{ operator, bench }, restored]) {
      one.watermark(1e6);
      const windows = (of.output.rows() as { window: { start: number; end: number } }[]).map(
        ({ window }) => window,
      );
      test.equal(windows.length, 6_000);
      test.same(new Set(windows.map(({ start, end }) => end - start)), new Set([10]));
      test.equal(new Set(windows.map(({ start }) => start)).size, 3_000);
    }
  });
}

void t.test(
  'a job may add and drop aggregates: what is kept goes on, what is new starts empty',
  async (test) => {
    const sized = { windows: session(10), allowedLatenessMs: 0, fold: null } as const;
    const before = sessionAggregate({
      ...sized,
      plan: planCells({ n: count(), total: sum('value'), high: max('value') }),
    });
    const after = sessionAggregate({
      ...sized,
      plan: planCells({
        total: sum('value'),
        n: count(),
        odd: max((row: Row) => row.value),
        mean: avg((row: Row) => row.value),
      }),
    });
    const first = before.create(createOperatorBench({ keys }).context);
    first.records(
      rowRecords(
        [
          { key: 'a', value: 3 },
          { key: 'a', value: null },
        ],
        [1, 2],
      ),
    );
    const two = createOperatorBench({ keys });
    const second = after.create(two.context);
    second.restore?.([decodeSnapshot(encodeSnapshot(first.snapshot?.() as OperatorState), [0, 127])]);
    second.watermark(0);
    test.match(second.snapshot?.().watermark, 0);
    second.records(rowRecords([{ key: 'a', value: 2 }], [3]));
    second.watermark(12);
    test.match(two.output.rows(), [{ value: { total: 5, n: 3, odd: 2, mean: 2 } }]);
  },
);

void t.test(
  'state of other windows, or of the other kind of aggregate, is refused on restore',
  async (test) => {
    const stored = (definition: OperatorDefinition<Operator>) => {
      const operator = definition.create(createOperatorBench({ keys }).context);
      operator.records(records(['a', 1]));
      return operator.snapshot?.() as OperatorState;
    };
    const restore = (definition: OperatorDefinition<Operator>, state: OperatorState) => () =>
      definition.create(createOperatorBench({ keys }).context).restore?.([state]);
    const tumbling = windowAggregate({
      windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
      allowedLatenessMs: 0,
      plan: planCells({ n: count() }),
      fold: null,
    });
    const folded = spec(0, session(10), listing);
    test.throws(restore(spec(), stored(tumbling)), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /not of session windows/,
    });
    test.throws(restore(spec(), stored(folded)), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /sessions of an aggregate function, the job asks for built-in aggregates/,
    });
    test.throws(restore(folded, stored(spec())), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /sessions of built-in aggregates, the job asks for an aggregate function/,
    });
  },
);

void t.test('a snapshot does not change with what comes after it', async (test) => {
  for (const fold of [listing, null]) {
    const taken = (goOn: boolean) => {
      const operator = spec(0, session(10), fold).create(createOperatorBench({ keys }).context);
      operator.records(records(['a', 1]));
      const state = operator.snapshot?.();
      if (goOn) {
        operator.records(records(['a', 2], ['b', 3]));
        operator.watermark(100);
      }
      return [...(state?.groups.entries() ?? [])];
    };
    test.same(taken(true), taken(false));
  }
});

void t.test('what cannot be a session is refused when it is declared', async (test) => {
  test.throws(() => session(0), { code: 'MR_CONFIG_INVALID' });
  test.throws(() => session('0.0001s' as never), { code: 'MR_CONFIG_INVALID' });
  test.same(session('30m'), { kind: 'session', gap: 1_800_000 });
  const { merge: _, ...unmergeable } = listing;
  test.throws(() => spec(0, session(10), unmergeable), { code: 'MR_CONFIG_INVALID', message: /merge/ });
});
