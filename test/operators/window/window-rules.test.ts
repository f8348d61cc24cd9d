import t from 'tap';
import type { OperatorState } from '#engine';
import { type AggregateFunction, count, max, min, stddev, sum } from '#operators';
import { eventTime, f64, schema, string } from '#wire';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { planCells } from '../../../operators/window/cells.ts';
import {
  columnRecords,
  createOperatorBench,
  type OperatorBench,
  rowRecords,
} from '../../support/operator-bench.ts';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import { createSubtasks } from '../../support/subtasks.ts';

interface Row {
  readonly key: string;
  readonly value: number | null;
}
const keys = { kind: 'fields', fields: ['key'] } as const;

const spec = (latenessMs = 0, fold: unknown = null) =>
  windowAggregate({
    windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
    allowedLatenessMs: latenessMs,
    plan: planCells(fold === null ? { n: count() } : {}),
    fold: fold as AggregateFunction<unknown, unknown, unknown> | null,
  });
const give = (bench: OperatorBench) => bench.output.take();
const records = (...rows: readonly (readonly [string, number])[]) =>
  rowRecords(
    rows.map(([key]): Row => ({ key, value: 1 })),
    rows.map(([, time]) => time),
  );
const result = (key: string, start: number, n: number) => ({
  kind: 'row' as const,
  row: { key: { key }, window: { start, end: start + 10 }, value: { n } },
  time: start + 9,
});
const watermark = (time: number) => ({ kind: 'watermark' as const, time });

const Reading = schema('reading', { ts: eventTime(1), key: string(2), value: f64(3) });

void t.test('GU1: rows of so many keys that they are read ahead, across a snapshot', async (test) => {
  const { context, output } = createOperatorBench({ keys });
  const definition = windowAggregate({
    windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
    allowedLatenessMs: 0,
    plan: planCells({
      n: count(),
      total: sum('value'),
      a: max('value'),
      b: min('value'),
      c: stddev('value'),
    }),
    fold: null,
  });
  const operator = definition.create(context);
  const rows = Array.from({ length: 80_000 }, (_, i) => ({ ts: i % 10, key: `key-${i}`, value: i }));
  const batches = Array.from({ length: 80 }, (_, n) => rows.slice(n * 1_000, n * 1_000 + 1_000));
  for (const batch of batches) operator.records(columnRecords(Reading, batch));
  const state = operator.snapshot?.() as OperatorState;
  for (const batch of batches) operator.records(columnRecords(Reading, batch));
  const check = (given: readonly unknown[], seen: number) => {
    const wrong = (given as readonly { key: { key: string }; value: Record<string, number> }[]).filter(
      ({ key, value }) => {
        const i = Number(key.key.slice('key-'.length));
        const expected = { n: seen, total: seen * i, a: i, b: i, c: 0 };
        return Object.entries(expected).some(([name, is]) => value[name] !== is);
      },
    );
    test.equal(given.length, rows.length);
    test.same(wrong, []);
  };
  const restored = createOperatorBench({ keys });
  const other = definition.create(restored.context);
  other.restore?.([decodeSnapshot(encodeSnapshot(state), [0, 127])]);
  state.release?.();
  operator.watermark(9);
  other.watermark(9);
  check(output.rows(), 2);
  check(restored.output.rows(), 1);
});

void t.test('WS2: keys stay for the length of a window after theirs is over', async (test) => {
  const { context } = createOperatorBench({ keys });
  const operator = spec().create(context);
  const keysAfter = (time: number) => {
    operator.watermark(time);
    operator.records(records(['z', 100]));
    return operator.counters?.().keys;
  };
  operator.records(records(['a', 1], ['b', 2], ['z', 100]));
  test.equal(keysAfter(9), 3);
  test.equal(keysAfter(18), 3);
  test.equal(keysAfter(19), 1);
});

for (const interpreted of [false, true]) {
  const open = (definition: ReturnType<typeof spec>) => {
    const bench = createOperatorBench({ keys, interpreted });
    return { bench, operator: definition.create(bench.context) };
  };
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(
    `WO1: a window gives its result once, at end − 1, before the watermark is handed on (${how})`,
    async (test) => {
      const { bench, operator } = open(spec());
      operator.records(records(['a', 1], ['b', 9], ['a', 10], ['a', 2]));
      operator.watermark(8);
      test.same(give(bench), [watermark(8)]);
      operator.watermark(9);
      test.same(give(bench), [result('a', 0, 2), result('b', 0, 1), watermark(9)]);
      operator.watermark(9);
      operator.watermark(5);
      test.same(give(bench), [], 'a watermark that does not rise is ignored');
      operator.watermark(1000);
      test.same(give(bench), [result('a', 10, 1), watermark(1000)]);
    },
  );

  void t.test(
    `WO2 WO3: a late record changes the result until the lateness is over, then goes to the side (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(5));
      operator.records(records(['a', 1]));
      operator.watermark(9);
      test.same(give(bench), [result('a', 0, 1), watermark(9)]);
      operator.records(records(['a', 2], ['c', 3], ['a', 4]));
      test.same(
        give(bench),
        [result('a', 0, 2), result('c', 0, 1), result('a', 0, 3)],
        'again for each late record',
      );
      operator.watermark(13);
      give(bench);
      operator.records(records(['a', 5]));
      test.same(
        give(bench),
        [result('a', 0, 4)],
        'lateness ends when the watermark reaches end − 1 + lateness',
      );
      operator.watermark(14);
      operator.records(records(['a', 6], ['a', 14]));
      test.same(give(bench), [watermark(14)]);
      test.same(
        bench
          .side('late')
          .take()
          .filter((it) => it.kind === 'row'),
        [{ kind: 'row', row: { key: 'a', value: 1 }, time: 6 }],
      );
      test.equal(operator.counters?.().lateRecords, 1);
    },
  );

  void t.test(
    `WO2: a window first opened by a late record gives its result at once (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(20));
      operator.watermark(15);
      give(bench);
      operator.records(records(['a', 3]));
      test.same(give(bench), [result('a', 0, 1)]);
      operator.watermark(40);
      test.same(give(bench), [watermark(40)]);
    },
  );

  void t.test(
    `a record that an aggregate function refuses leaves no trace, also as its key's only one (${how})`,
    async (test) => {
      // Regression: the key was counted without an accumulator, and its result then failed the job for ever.
      const { bench, operator } = open(
        spec(0, {
          createAccumulator: () => 0 as never,
          add() {
            throw new Error('refused');
          },
          getResult: (n: number) => n.toFixed(0),
        }),
      );
      operator.records(records(['a', 1], ['a', 2]));
      operator.watermark(100);
      test.same(give(bench), [watermark(100)]);
      test.same(
        bench.errors.map(({ message, time }) => [message, time]),
        [
          ['refused', 1],
          ['refused', 2],
        ],
      );
    },
  );

  void t.test(
    `an accumulator may be null; a result that throws is an operator error of its window (${how})`,
    async (test) => {
      const last: AggregateFunction<Row, string | null, string> = {
        createAccumulator: () => 'first',
        add: (row, accumulator) => (accumulator === 'first' ? null : `${accumulator}+${row.key}`),
        getResult(accumulator) {
          if (accumulator === null) throw new Error('only one');
          return accumulator;
        },
      };
      const { bench, operator } = open(spec(0, last));
      operator.records(records(['a', 1], ['b', 1], ['a', 2]));
      operator.watermark(9);
      const given = give(bench);
      test.match(given[0], { row: { key: { key: 'a' }, value: 'null+a' } });
      test.same(given.slice(1), [watermark(9)]);
      test.match(bench.errors, [
        { message: 'only one', row: { key: { key: 'b' }, window: { start: 0, end: 10 } }, time: 9 },
      ]);
    },
  );

  void t.test(`WS1: state is bounded by open windows, not by the keys ever seen (${how})`, async (test) => {
    const { operator } = open(spec(5));
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
    test.ok(most <= 300, `at most ${most} of 30 000 keys are held at once`);
    operator.watermark(1e6);
    operator.records(records(['one', 0]));
    test.ok((operator.counters?.().keys ?? Number.NaN) <= 1);
  });
}

void t.test(
  'a job may add and drop aggregates: what is kept goes on, what is new starts empty',
  async (test) => {
    const sized = {
      windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
      allowedLatenessMs: 0,
      fold: null,
    } as const;
    const before = windowAggregate({
      ...sized,
      plan: planCells({ n: count(), total: sum('value'), high: max('value') }),
    });
    const after = windowAggregate({
      ...sized,
      plan: planCells({ total: sum('value'), n: count(), odd: max((row: Row) => row.value) }),
    });
    const one = createOperatorBench({ keys });
    const first = before.create(one.context);
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
    second.restore?.([decodeSnapshot(encodeSnapshot(first.snapshot?.() as never), [0, 127])]);
    second.records(rowRecords([{ key: 'a', value: 2 }], [3]));
    second.watermark(9);
    test.match(two.output.rows(), [{ value: { total: 5, n: 3, odd: 2 } }]);
  },
);

void t.test('windows of another size are refused on restore', async (test) => {
  const subtasks = createSubtasks(spec(), { keys, interpreted: false });
  subtasks.records([{ key: 'a', value: 1 }], (rows) =>
    rowRecords(
      rows,
      rows.map(() => 1),
    ),
  );
  const state = subtasks.operators()[0]?.snapshot?.();
  const other = windowAggregate({
    windows: { kind: 'tumbling', sizeMs: 20, offsetMs: 0 },
    allowedLatenessMs: 0,
    plan: planCells({ n: count() }),
    fold: null,
  });
  const operator = other.create(createOperatorBench({ keys }).context);
  test.throws(() => operator.restore?.([state as never]), { code: 'MR_STATE_INCOMPATIBLE' });
});

void t.test('a snapshot does not change with what comes after it', async (test) => {
  const { context } = createOperatorBench({ keys });
  const list: AggregateFunction<Row, string[], string> = {
    createAccumulator: () => [],
    add: (row, seen) => (seen.push(row.key), seen),
    getResult: (seen) => seen.join(),
  };
  const taken = (goOn: boolean) => {
    const operator = spec(0, list).create(context);
    operator.records(records(['a', 1]));
    const state = operator.snapshot?.();
    if (goOn) {
      operator.records(records(['a', 2], ['b', 3]));
      operator.watermark(100);
    }
    return [...(state?.groups.entries() ?? [])];
  };
  test.same(taken(true), taken(false));
});
