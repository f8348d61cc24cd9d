import t from 'tap';
import { session, type SessionWindows } from '../../../operators/window/session-assigner.ts';
import {
  byValue,
  createSessionBench,
  give,
  listing,
  records,
  result,
  type Row,
  spec,
  watermark,
} from '../../support/session-bench.ts';

for (const interpreted of [false, true]) {
  const { open } = createSessionBench(interpreted);
  const how = interpreted ? 'interpreted' : 'generated';

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
}

void t.test('what cannot be a session is refused when it is declared', async (test) => {
  test.throws(() => session(0), { code: 'MR_CONFIG_INVALID' });
  test.throws(() => session('0.0001s' as never), { code: 'MR_CONFIG_INVALID' });
  test.same(session('30m'), { kind: 'session', gap: 1_800_000 });
  const { merge: _, ...unmergeable } = listing;
  test.throws(() => spec(0, session(10), unmergeable), { code: 'MR_CONFIG_INVALID', message: /merge/ });
});
