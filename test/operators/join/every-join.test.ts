import t from 'tap';
import type { MultiInputOperator, OperatorDefinition, OperatorState } from '#engine';
import { temporalJoin } from '../../../operators/join/temporal-join.ts';
import { windowJoin } from '../../../operators/join/window-join.ts';
import { interval, keys, open, pair, type Row } from '../../support/join-bench.ts';
import { createOperatorBench } from '../../support/operator-bench.ts';

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
