import t from 'tap';
import { MAX_WATERMARK } from '#engine';
import { interval, open, pair, type Row } from '../../support/join-bench.ts';
import { rowRecords } from '../../support/operator-bench.ts';

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(
    `IJ1: bounds are inclusive unless excluded; a pair has the later time (${how})`,
    async (test) => {
      for (const [includeLower, includeUpper, expected] of [
        [true, true, ['l10+r9@10', 'l10+r10@10', 'l10+r11@11', 'l10+r12@12']],
        [false, true, ['l10+r10@10', 'l10+r11@11', 'l10+r12@12']],
        [true, false, ['l10+r9@10', 'l10+r10@10', 'l10+r11@11']],
        [false, false, ['l10+r10@10', 'l10+r11@11']],
      ] as const) {
        const { left, right, said } = open(interval(-1, 2, { includeLower, includeUpper }), interpreted);
        left.give(10);
        right.give(8, 9, 10, 11, 12, 13);
        test.same(said(), expected);
      }
    },
  );

  void t.test(`IJ1: an interval wholly before or after the left record (${how})`, async (test) => {
    const before = open(interval(-5, -3), interpreted);
    before.right.give(4, 5, 7, 8);
    before.left.give(10);
    test.same(before.said(), ['l10+r5@10', 'l10+r7@10']);
    const after = open(interval(3, 5), interpreted);
    after.right.give(12, 13, 15, 16);
    after.left.give(10);
    test.same(after.said(), ['l10+r13@13', 'l10+r15@15']);
  });

  void t.test(`IJ2 IJ5: late is below the watermark, not at it (${how})`, async (test) => {
    const { left, right, watermark, late, said, operator } = open(interval(-5, 5), interpreted);
    left.give(8, 12);
    watermark(10);
    said();
    left.give(9, 10);
    right.give(9, 10);
    test.same(late(), [
      ['W10', 'l9@9'],
      ['W10', 'r9@9'],
    ]);
    test.same(said(), ['l8+r10@10', 'l10+r10@10', 'l12+r10@12']);
    test.equal(operator.counters?.().lateRecords, 2);
  });

  void t.test(`IJ3: records are let go of exactly when no partner can come (${how})`, async (test) => {
    // Left at time + upper, right at time − lower, neither before its own time.
    for (const [lower, upper, leftOver, rightOver] of [
      [-3, 5, 15, 13],
      [1, 5, 15, 10],
      [-5, -1, 10, 15],
    ] as const) {
      for (const [side, over] of [
        ['left', leftOver],
        ['right', rightOver],
      ] as const) {
        const it = open(interval(lower, upper), interpreted);
        it[side].give(10);
        it.watermark(over - 1);
        test.equal(it.held(), 1, `${side} of ${lower}…${upper} at ${over - 1}`);
        it.watermark(over);
        test.equal(it.held(), 0, `${side} of ${lower}…${upper} at ${over}`);
        test.equal(it.operator.counters?.().timers, 0);
        it.left.give(over + 100);
        it.operator.inputs[0]?.records(rowRecords([], []));
        test.equal(it.operator.counters?.().keys, 1, 'its slot is used again');
      }
    }
  });

  void t.test(
    `IJ4: outer joins give what stayed alone, at the time that decides it (${how})`,
    async (test) => {
      for (const [type, expected] of [
        ['inner', ['W14', 'W15']],
        ['left', ['W14', 'l10+-@15', 'W15']],
        ['right', ['-+r1@4', 'W14', 'W15']],
        ['full', ['-+r1@4', 'W14', 'l10+-@15', 'W15']],
      ] as const) {
        const { left, right, watermark, said, operator } = open(interval(-3, 5, { type }), interpreted);
        left.give(10, 20);
        right.give(1, 21);
        test.same(said(), ['l20+r21@21']);
        test.equal(operator.waiting?.()?.until, { inner: undefined, left: 15, right: 4, full: 4 }[type]);
        watermark(14);
        watermark(15);
        test.same(said(), expected);
        test.equal(operator.waiting?.(), null);
        watermark(MAX_WATERMARK);
        test.same(said(), [`W${MAX_WATERMARK}`]);
      }
    },
  );

  void t.test(
    `TI3: a record that makes a pair throw gives none of its pairs and is not kept (${how})`,
    async (test) => {
      const join = (left: Row | null, right: Row | null) => {
        if (left?.name === 'l2' && right?.name === 'r5') throw new Error('no');
        return pair(left, right);
      };
      const { left, right, bench, said, watermark } = open(
        interval(-9, 9, { type: 'full', join }),
        interpreted,
      );
      left.give(1, 2, 3);
      right.give(5, 6);
      test.same(said(), ['l1+r6@6', 'l2+r6@6', 'l3+r6@6']);
      test.match(bench.errors, [{ message: 'no', row: { name: 'r5' }, time: 5 }]);
      watermark(100);
      test.same(said(), ['W100'], 'r5 is not given alone');
    },
  );

  void t.test(
    `TI1 TI2: event time is the least of both; an idle input is left out (${how})`,
    async (test) => {
      const { left, right, said, late } = open(interval(-1, 1, { type: 'left' }), interpreted);
      left.give(10);
      left.watermark(50);
      test.same(said(), [], 'the right input has said nothing');
      right.watermark(10);
      test.same(said(), ['W10']);
      right.idle();
      test.same(said(), ['l10+-@11', 'W50']);
      test.same(late(), [
        ['W10', 'W50'],
        ['W10', 'W50'],
      ]);
      left.idle();
      test.same(said(), ['idle']);
      right.give(49);
      test.same(late(), [['idle'], ['idle', 'r49@49']]);
    },
  );

  void t.test(`TI4: after a restore neither input runs ahead of the other (${how})`, async (test) => {
    const definition = interval(-5, 5);
    const before = open(definition, interpreted);
    before.left.give(100);
    before.watermark(100);
    const after = open(definition, interpreted, before.operator.snapshot?.());
    after.left.watermark(200);
    after.right.give(99, 101);
    test.same(after.said(), ['l100+r101@101']);
    test.same(after.late(), [[], ['r99@99']]);
    after.right.watermark(90);
    test.same(after.said(), [], 'what was handed on is not handed on again');
    after.right.watermark(150);
    test.same(after.said(), ['W150']);
  });
}
