import t from 'tap';
import { temporalJoin } from '../../../operators/join/temporal-join.ts';
import { open, pair, type Row } from '../../support/join-bench.ts';

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(
    `TJ1: a fact finds the newest version of its time, whichever came first (${how})`,
    async (test) => {
      const { left, right, watermark, said, operator } = open(
        temporalJoin<Row, Row, string, 'left'>({ type: 'left', join: pair }),
        interpreted,
      );
      left.give(5, 10, 15);
      right.give(20, 10, 7);
      left.give(25, 9);
      test.same(operator.waiting?.(), { what: 'join', until: 5, count: 5 });
      watermark(15);
      test.same(said(), ['l5+-@5', 'l9+r7@9', 'l10+r10@10', 'l15+r10@15', 'W15']);
      watermark(30);
      test.same(said(), ['l25+r20@25', 'W30']);
      test.equal(operator.counters?.().timers, 0);
    },
  );

  void t.test(`TJ3 TJ4 TJ5: late facts and versions count while that is exact (${how})`, async (test) => {
    const { left, right, watermark, said, late } = open(
      temporalJoin<Row, Row, string, 'left'>({
        type: 'left',
        join: pair,
        isDeleted: ({ name }) => name === 'r40',
      }),
      interpreted,
    );
    right.give(10, 20);
    watermark(30);
    left.give(25, 15);
    test.same(said(), ['W30', 'l25+r20@25'], 'the version of 15 is gone');
    right.give(18, 22);
    left.give(24, 35);
    test.same(said(), ['l24+r22@24']);
    right.give(40);
    watermark(50);
    right.give(39);
    left.give(45, 60);
    watermark(60);
    test.same(said(), ['l35+r22@35', 'W50', 'l45+-@45', 'l60+-@60', 'W60'], 'what was deleted stays so');
    test.same(late(), [
      ['W30', 'l15@15', 'W50', 'W60'],
      ['W30', 'r18@18', 'W50', 'r39@39', 'W60'],
    ]);
  });

  void t.test(`TJ6: a version that no fact uses for its ttl is forgotten (${how})`, async (test) => {
    const { left, right, watermark, said, held } = open(
      temporalJoin<Row, Row, string>({ join: pair, ttl: 10 }),
      interpreted,
    );
    right.give(0);
    left.give(9, 18, 27, 37);
    watermark(36);
    test.same(said(), ['l9+r0@9', 'l18+r0@18', 'l27+r0@27', 'W36']);
    watermark(37);
    test.same(said(), ['W37'], 'the last use was 10 ms ago');
    test.equal(held(), 0);
  });
}
