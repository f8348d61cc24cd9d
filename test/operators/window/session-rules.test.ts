import t from 'tap';
import { MAX_WATERMARK } from '#engine';
import {
  byValue,
  createSessionBench,
  give,
  late,
  records,
  result,
  spec,
  watermark,
} from '../../support/session-bench.ts';

for (const interpreted of [false, true]) {
  const { open } = createSessionBench(interpreted);
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
}
