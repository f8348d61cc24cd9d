import t from 'tap';
import { MAX_WATERMARK } from '#engine';
import { coGroup } from '../../../operators/join/co-group.ts';
import { windowJoin } from '../../../operators/join/window-join.ts';
import { open, pair, type Row } from '../../support/join-bench.ts';

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';

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
}
