import t from 'tap';
import { MAX_WATERMARK, type MultiInputOperator, type OperatorDefinition, type OperatorState } from '#engine';
import { coGroup } from '../../../operators/join/co-group.ts';
import {
  intervalJoin,
  type IntervalJoinOptions,
  type JoinType,
} from '../../../operators/join/interval-join.ts';
import { temporalJoin } from '../../../operators/join/temporal-join.ts';
import { windowJoin } from '../../../operators/join/window-join.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly key: string;
  readonly name: string;
}
const keys = { kind: 'fields', fields: ['key'] } as const;
const pair = (left: Row | null, right: Row | null) => `${left?.name ?? '-'}+${right?.name ?? '-'}`;

/** One operator; rows are named by side and time, results shown as `text@time`. */
function open(
  definition: OperatorDefinition<MultiInputOperator>,
  interpreted: boolean,
  restored?: OperatorState,
) {
  const bench = createOperatorBench({ keys, inputKeys: [keys, keys], interpreted });
  const operator = definition.create(bench.context);
  if (restored !== undefined) operator.restore?.([restored]);
  const input = (at: number, side: string) => ({
    give: (...times: number[]) =>
      operator.inputs[at]?.records(
        rowRecords(
          times.map((time): Row => ({ key: 'k', name: `${side}${time}` })),
          times,
        ),
      ),
    watermark: (time: number) => operator.inputs[at]?.watermark(time),
    idle: () => operator.inputs[at]?.idle(),
  });
  const left = input(0, 'l');
  const right = input(1, 'r');
  const shown = (given: ReturnType<typeof bench.output.take>) =>
    given.map((it) =>
      it.kind === 'row'
        ? `${typeof it.row === 'string' ? it.row : (it.row as Row).name}@${it.time}`
        : it.kind === 'watermark'
          ? `W${it.time}`
          : 'idle',
    );
  return {
    bench,
    operator,
    left,
    right,
    watermark: (time: number) => {
      left.watermark(time);
      right.watermark(time);
    },
    said: () => shown(bench.output.take()),
    late: () => [shown(bench.side('lateLeft').take()), shown(bench.side('lateRight').take())],
    held: () => operator.snapshot?.().groups.size ?? Number.NaN,
  };
}

const interval = (
  lowerMs: number,
  upperMs: number,
  options: Partial<IntervalJoinOptions<Row, Row, string, JoinType>> = {},
) => intervalJoin<Row, Row, string, JoinType>({ lowerMs, upperMs, join: pair, ...options });

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

  void t.test(
    `a window join gives every pair at the window's last time, before the watermark (${how})`,
    async (test) => {
      const windows = { kind: 'tumbling', sizeMs: 10, offsetMs: 0 } as const;
      const { left, right, watermark, said, late, operator } = open(
        windowJoin<Row, Row, string>({ windows, allowedLatenessMs: 5, join: pair }),
        interpreted,
      );
      left.give(1, 9, 10);
      test.equal(operator.waiting?.(), null, 'no pair yet');
      right.give(0, 5);
      test.same(operator.waiting?.(), { what: 'join', until: 9, count: 1 });
      watermark(8);
      watermark(9);
      test.same(said(), ['W8', 'l1+r0@9', 'l1+r5@9', 'l9+r0@9', 'l9+r5@9', 'W9']);
      right.give(7);
      test.same(said(), ['l1+r7@9', 'l9+r7@9'], 'within the lateness: only what is new');
      watermark(14);
      right.give(3, 15);
      left.give(3, 12);
      test.same(late(), [
        ['W8', 'W9', 'W14', 'l3@3'],
        ['W8', 'W9', 'W14', 'r3@3'],
      ]);
      watermark(100);
      test.same(said(), ['W14', 'l10+r15@19', 'l12+r15@19', 'W100']);
    },
  );

  void t.test(
    `a late record that bridges closed sessions gives the pairs across them, once (${how})`,
    async (test) => {
      const { left, right, watermark, said } = open(
        windowJoin<Row, Row, string>({
          windows: { kind: 'session', gap: ({ name }: Row) => (name === 'l211' ? 50 : 10) },
          allowedLatenessMs: 100,
          join: pair,
        }),
        interpreted,
      );
      left.give(0, 20);
      right.give(1, 21);
      watermark(50);
      test.same(said(), ['l0+r1@10', 'l20+r21@30', 'W50']);
      right.give(11);
      test.same(said().sort(), ['l0+r11@30', 'l0+r21@30', 'l20+r11@30', 'l20+r1@30']);
      watermark(200);
      left.give(200, 220);
      right.give(201, 221);
      watermark(250);
      said();
      left.give(211);
      test.same(said(), [], 'its own gap takes the session beyond the watermark, where it closes again');
      watermark(259);
      test.same(said(), ['W259']);
      watermark(260);
      test.same(said(), ['l200+r221@260', 'l220+r201@260', 'l211+r201@260', 'l211+r221@260', 'W260']);
    },
  );

  void t.test(
    `a co-group sees empty sides, and again the whole window for a late record (${how})`,
    async (test) => {
      const { left, right, watermark, said } = open(
        coGroup<{ key: string }, Row, Row, string>({
          windows: { kind: 'sliding', sizeMs: 10, slideMs: 5, offsetMs: 0 },
          allowedLatenessMs: 10,
          group: ({ key }, { start, end }, lefts, rights) => [
            `${key}[${start},${end})${lefts.map(({ name }) => name).join()}|${rights.map(({ name }) => name).join()}`,
          ],
        }),
        interpreted,
      );
      left.give(7);
      right.give(12);
      watermark(13);
      test.same(said(), ['k[0,10)l7|@9', 'W13']);
      right.give(2, 8);
      test.same(said(), ['k[0,10)l7|r2@9', 'k[-5,5)|r2@4', 'k[0,10)l7|r2,r8@9']);
      watermark(100);
      test.same(said(), ['k[5,15)l7|r12,r8@14', 'k[10,20)|r12@19', 'W100']);
    },
  );

  void t.test(
    `AW2: a record between windows is in none, and late only behind the watermark (${how})`,
    async (test) => {
      // Regression: one that was late went nowhere.
      const { left, right, watermark, said, late } = open(
        windowJoin<Row, Row, string>({
          windows: { kind: 'sliding', sizeMs: 5, slideMs: 10, offsetMs: 0 },
          allowedLatenessMs: 2,
          join: pair,
        }),
        interpreted,
      );
      watermark(10);
      left.give(7, 8, 9, 14, 15);
      right.give(8, 9, 14);
      test.same(late(), [
        ['W10', 'l7@7', 'l8@8'],
        ['W10', 'r8@8'],
      ]);
      watermark(100);
      test.same(said(), ['W10', 'l14+r14@14', 'W100']);
    },
  );

  void t.test(`SJ2: a session without end closes at the end of time (${how})`, async (test) => {
    // Regression: its end lay beyond any watermark.
    const { left, right, watermark, said, operator } = open(
      windowJoin<Row, Row, string>({
        windows: { kind: 'session', gap: () => Number.MAX_SAFE_INTEGER },
        join: pair,
      }),
      interpreted,
    );
    left.give(10);
    right.give(20);
    watermark(MAX_WATERMARK);
    test.same(said(), [`l10+r20@${MAX_WATERMARK - 1}`, `W${MAX_WATERMARK}`]);
    test.equal(operator.counters?.().timers, 0);
  });

  void t.test(
    `AW3: windows close in time order whatever order they opened in, also among closed ones (${how})`,
    async (test) => {
      const { left, right, watermark, said, operator } = open(
        windowJoin<Row, Row, string>({
          windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
          allowedLatenessMs: 40,
          join: pair,
        }),
        interpreted,
      );
      left.give(45, 15, 25);
      right.give(26, 46, 16);
      test.same(operator.waiting?.(), { what: 'join', until: 19, count: 3 });
      watermark(20);
      test.same(said(), ['l15+r16@19', 'W20']);
      left.give(35, 5);
      right.give(6, 36);
      test.same(said(), ['l5+r6@9'], 'a window that opens when it has closed gives at once');
      test.same(operator.waiting?.(), { what: 'join', until: 29, count: 3 });
      watermark(40);
      test.same(said(), ['l25+r26@29', 'l35+r36@39', 'W40'], 'no more, and each once');
      test.same(operator.waiting?.(), { what: 'join', until: 49, count: 1 });
      watermark(100);
      test.same(said(), ['l45+r46@49', 'W100']);
      test.equal(operator.counters?.().timers, 0);
    },
  );

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

void t.test('impossible declarations are refused when they are made', async (test) => {
  const config = { code: 'MR_CONFIG_INVALID' };
  test.throws(() => interval(2, 1), config);
  test.throws(() => interval(1, 2, { includeLower: false, includeUpper: false }), config);
  test.throws(() => interval(0.5, 2), config);
  test.throws(() => temporalJoin<Row, Row, string>({ join: pair, ttl: 0 }), config);
  const windows = { kind: 'tumbling', sizeMs: 10, offsetMs: 0 } as const;
  test.throws(() => windowJoin<Row, Row, string>({ windows, allowedLatenessMs: -1, join: pair }), config);
  const bench = createOperatorBench({ keys, inputKeys: [keys, { kind: 'fields', fields: ['id'] }] });
  test.throws(() => interval(0, 1).create(bench.context), { code: 'MR_GRAPH_INVALID', message: /fields id/ });
});

void t.test('state of another declaration is refused, not reinterpreted', async (test) => {
  const stored = (definition: OperatorDefinition<MultiInputOperator>) => {
    const { left, operator } = open(definition, false);
    left.give(10);
    return operator.snapshot?.();
  };
  const refused = { code: 'MR_STATE_INCOMPATIBLE' };
  test.throws(() => open(interval(0, 6), false, stored(interval(0, 5))), refused);
  test.throws(() => open(interval(0, 5, { type: 'left' }), false, stored(interval(0, 5))), refused);
  test.doesNotThrow(() => open(interval(0, 5), false, stored(interval(0, 5, { type: 'full' }))));
  const windowed = (sizeMs: number) =>
    windowJoin<Row, Row, string>({ windows: { kind: 'tumbling', sizeMs, offsetMs: 0 }, join: pair });
  test.throws(() => open(windowed(20), false, stored(windowed(10))), refused);
});

void t.test('a snapshot does not change with what comes after it', async (test) => {
  for (const definition of [
    interval(-5, 5, { type: 'full' }),
    temporalJoin<Row, Row, string>({ join: pair }),
    windowJoin<Row, Row, string>({ windows: { kind: 'session', gap: 10 }, join: pair }),
    windowJoin<Row, Row, string>({ windows: { kind: 'tumbling', sizeMs: 100, offsetMs: 0 }, join: pair }),
  ]) {
    const filled = () => {
      const it = open(definition, false);
      it.left.give(10);
      it.right.give(12);
      return { ...it, taken: it.operator.snapshot?.() as OperatorState };
    };
    const { left, right, watermark, taken } = filled();
    left.give(11);
    right.give(13);
    watermark(12);
    test.same(new Map(taken.groups), new Map(filled().taken.groups));
  }
});
