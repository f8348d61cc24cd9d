import t from 'tap';
import { MAX_WATERMARK, MIN_WATERMARK } from '#engine';
import { type AggregateFunction, avg, count, p50 } from '#operators';
import { planCells } from '../../../operators/window/cells.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import type { WindowGroup } from '../../../operators/window/window-snapshot.ts';
import type { WindowSpec } from '../../../operators/window/window-spec.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly key: string;
  readonly value: number;
}
const keys = { kind: 'fields', fields: ['key'] } as const;
const plan = planCells({ n: count() });

const sliding = (sizeMs: number, slideMs: number, offsetMs = 0) =>
  ({ kind: 'sliding', sizeMs, slideMs, offsetMs }) as const;
const open = (spec: Partial<WindowSpec>, interpreted = false) => {
  const bench = createOperatorBench({ keys, interpreted });
  const all = { windows: sliding(10, 5), allowedLatenessMs: 0, plan, fold: null, ...spec };
  return { bench, operator: windowAggregate(all).create(bench.context) };
};
const records = (...rows: readonly (readonly [string, number])[]) =>
  rowRecords(
    rows.map(([key], value): Row => ({ key, value })),
    rows.map(([, time]) => time),
  );
/** What was given, in short: `a [0 10) 2`, `late 7`, `mark 9`. */
function given(bench: OperatorBench): string[] {
  const results = bench.output.take().map((it) => {
    if (it.kind !== 'row') return it.kind === 'watermark' ? `mark ${it.time}` : it.kind;
    const { key, window, value } = it.row as {
      readonly key: { readonly key: string };
      readonly window: { readonly start: number; readonly end: number };
      readonly value: { readonly n: number };
    };
    const off = it.time === window.end - 1 ? '' : ` at ${it.time}`;
    return `${key.key} [${window.start} ${window.end}) ${value.n}${off}`;
  });
  const late = bench
    .side('late')
    .take()
    .flatMap((it) => (it.kind === 'row' ? [`late ${it.time}`] : []));
  return [...results, ...late];
}

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(`WO1: each window gives its result once, at end − 1, oldest first (${how})`, async (test) => {
    const { bench, operator } = open({}, interpreted);
    operator.records(records(['a', 12], ['a', -1], ['b', 3]));
    operator.watermark(-2);
    test.same(given(bench), ['mark -2']);
    operator.watermark(-1);
    test.same(given(bench), ['a [-10 0) 1', 'mark -1']);
    operator.watermark(13);
    const [first, ...rest] = given(bench);
    test.equal(first, 'a [-5 5) 1');
    test.same(rest, ['b [-5 5) 1', 'b [0 10) 1', 'mark 13']);
    operator.watermark(MAX_WATERMARK);
    test.same(given(bench), ['a [5 15) 1', 'a [10 20) 1', `mark ${MAX_WATERMARK}`]);
    test.equal(operator.counters?.().timers, 0);
  });

  void t.test(
    `WO2: a late record gives again each of its windows that has given its result, once (${how})`,
    async (test) => {
      const { bench, operator } = open({ windows: sliding(10, 2), allowedLatenessMs: 4 }, interpreted);
      operator.records(records(['a', 9], ['b', 9]));
      operator.watermark(13);
      test.same(given(bench).sort(), [
        'a [0 10) 1',
        'a [2 12) 1',
        'a [4 14) 1',
        'b [0 10) 1',
        'b [2 12) 1',
        'b [4 14) 1',
        'mark 13',
      ]);
      // [0 10) is over; [2 12) and [4 14) have given theirs; [6 16) and [8 18) give theirs when due.
      operator.records(records(['a', 8], ['c', 8]));
      test.same(given(bench), ['a [2 12) 2', 'a [4 14) 2', 'c [2 12) 1', 'c [4 14) 1']);
      operator.watermark(17);
      test.same(given(bench).sort(), [
        'a [6 16) 2',
        'a [8 18) 2',
        'b [6 16) 1',
        'b [8 18) 1',
        'c [6 16) 1',
        'c [8 18) 1',
        'mark 17',
      ]);
    },
  );

  void t.test(
    `SL2: a record makes those windows give again that have given, whenever its pane opened (${how})`,
    async (test) => {
      const { bench, operator } = open({ allowedLatenessMs: 10 }, interpreted);
      operator.records(records(['a', 12]));
      operator.watermark(13);
      given(bench);
      operator.records(records(['a', 11]));
      test.same(given(bench), [], 'neither [5 15) nor [10 20) is due');
      operator.watermark(14);
      test.same(given(bench), ['a [5 15) 2', 'mark 14']);
      operator.records(records(['a', 13]));
      test.same(given(bench), ['a [5 15) 3'], 'the pane was there when the window became due');
      operator.records(records(['b', 7]));
      test.same(given(bench), ['b [0 10) 1', 'b [5 15) 1'], 'the pane opens when it is due');
      operator.records(records(['a', 17]));
      test.same(given(bench), [], 'the pane opens before it is due');
      operator.watermark(19);
      test.same(given(bench), ['a [10 20) 4', 'mark 19']);
    },
  );

  void t.test(`WO3: a record is late when all its windows are over, not before (${how})`, async (test) => {
    const { bench, operator } = open({}, interpreted);
    operator.watermark(9);
    given(bench);
    operator.records(records(['a', 4], ['a', 5], ['a', 0]));
    test.same(given(bench), ['late 4', 'late 0'], '5 still has [5 15)');
    operator.watermark(14);
    test.same(given(bench), ['a [5 15) 1', 'mark 14']);
    test.equal(operator.counters?.().lateRecords, 2);
  });

  void t.test(
    `WO3: a record between windows is in none, and late only behind the watermark (${how})`,
    async (test) => {
      const { bench, operator } = open({ windows: sliding(5, 10), allowedLatenessMs: 2 }, interpreted);
      operator.watermark(10);
      given(bench);
      operator.records(records(['a', 7], ['a', 8], ['a', 9], ['a', 14], ['a', 15]));
      test.same(given(bench), ['late 7', 'late 8']);
      operator.watermark(100);
      test.same(given(bench), ['a [10 15) 1', 'mark 100']);
    },
  );

  void t.test(`sizes that no slide divides: windows share panes all the same (${how})`, async (test) => {
    const { bench, operator } = open({ windows: sliding(10_007, 5_003) }, interpreted);
    operator.records(records(['a', 0], ['a', 5_002], ['a', 5_003], ['a', 10_006], ['a', 10_007]));
    test.equal(operator.counters?.().timers, 5, 'panes: at most two per slide');
    operator.watermark(MAX_WATERMARK);
    test.same(given(bench), [
      'a [-10006 1) 1',
      'a [-5003 5004) 3',
      'a [0 10007) 4',
      'a [5003 15010) 3',
      'a [10006 20013) 2',
      `mark ${MAX_WATERMARK}`,
    ]);
  });

  void t.test(`the first and last times there are lie in windows that fire (${how})`, async (test) => {
    for (const windows of [sliding(10, 5), { kind: 'tumbling', sizeMs: 10, offsetMs: 0 } as const]) {
      const { bench, operator } = open({ windows, allowedLatenessMs: MAX_WATERMARK }, interpreted);
      operator.records(records(['a', MIN_WATERMARK + 1], ['a', MAX_WATERMARK]));
      operator.watermark(MAX_WATERMARK);
      const times = bench.output.given.flatMap((it) => (it.kind === 'row' ? [it.time] : []));
      test.ok(times.length >= 2 && times.every((time) => Number.isSafeInteger(time)), times.join());
      test.equal(Math.max(...times), MAX_WATERMARK);
      test.equal(operator.counters?.().timers, 0, 'and nothing is left');
    }
  });
}

void t.test('why is there no output: the first window to come, and how many there are', async (test) => {
  const { operator } = open({});
  test.equal(operator.waiting?.(), null);
  operator.records(records(['a', 12], ['b', 13], ['a', 40]));
  test.same(operator.waiting?.(), { what: 'window', until: 14, count: 4 });
  operator.watermark(14);
  test.same(operator.waiting?.(), { what: 'window', until: 19, count: 3 });
  operator.watermark(1_000);
  test.equal(operator.waiting?.(), null);

  const tumbling = open({
    windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
    allowedLatenessMs: 50,
  }).operator;
  test.equal(tumbling.waiting?.(), null);
  tumbling.records(records(['a', 12], ['a', 22], ['a', 23]));
  test.same(tumbling.waiting?.(), { what: 'window', until: 19, count: 2 });
  tumbling.watermark(20);
  test.same(
    tumbling.waiting?.(),
    { what: 'window', until: 29, count: 1 },
    'late results may still come, none is due',
  );
});

void t.test('a merge that throws is an operator error of its window and key, no more', async (test) => {
  const fold: AggregateFunction<Row, number, { n: number }> = {
    createAccumulator: () => 0,
    add: (_, n) => n + 1,
    getResult: (n) => ({ n }),
    merge(a, b) {
      if (b === 2) throw new Error('not two');
      return a + b;
    },
  };
  const { bench, operator } = open({
    plan: planCells({}),
    fold: fold as AggregateFunction<unknown, unknown, unknown>,
  });
  operator.records(records(['a', 1], ['a', 6], ['a', 7], ['b', 1], ['b', 6]));
  operator.watermark(9);
  test.same(given(bench), ['a [-5 5) 1', 'b [-5 5) 1', 'b [0 10) 2', 'mark 9']);
  test.match(bench.errors, [
    { message: 'not two', row: { key: { key: 'a' }, window: { start: 0, end: 10 } }, time: 9 },
  ]);
});

void t.test('SM1 SL1: long windows hold what their panes hold, and let go of it', async (test) => {
  const { bench, operator } = open({ windows: sliding(1_000, 10) });
  let most = 0;
  for (let round = 0; round < 400; round++) {
    operator.records(records([`key-${round}`, round * 10], ['always', round * 10 + 5]));
    operator.watermark(round * 10 + 9);
    most = Math.max(most, operator.counters?.().timers ?? Number.NaN);
  }
  test.ok(most <= 100, `${most} panes`);
  const last = given(bench).filter((it) => it.startsWith('always [3000 4000)'));
  test.same(last, ['always [3000 4000) 100']);
  test.ok((operator.counters?.().keys ?? Number.NaN) <= 202, 'keys of the window at hand and of one before');
  operator.watermark(MAX_WATERMARK - 1);
  operator.records(records(['one', 0]));
  test.ok((operator.counters?.().keys ?? Number.NaN) <= 1);
});

void t.test('sliding state is restored to the same windows only', async (test) => {
  const tumbling = { kind: 'tumbling', sizeMs: 5, offsetMs: 0 } as const;
  const stored = (windows: WindowSpec['windows']) => {
    const { operator } = open({ windows });
    operator.records(records(['a', 12]));
    const state = operator.snapshot?.();
    if (state === undefined) throw new Error('no state');
    return state;
  };
  const all = [sliding(10, 5), sliding(15, 5), sliding(10, 5, 1), sliding(5, 5), tumbling];
  for (const before of all)
    for (const after of all) {
      const restore = () => open({ windows: after }).operator.restore?.([stored(before)]);
      if (before === after) test.doesNotThrow(restore);
      else test.throws(restore, { code: 'MR_STATE_INCOMPATIBLE' });
    }
});

void t.test('tumbling state that was stored before nulls were cells goes on', async (test) => {
  const windows = { kind: 'tumbling', sizeMs: 10, offsetMs: 0 } as const;
  const means = planCells({ n: count(), mean: avg('value') });
  const { bench, operator } = open({ windows, plan: means });
  operator.records(records(['a', 1]));
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('no state');
  const [[group, keyed]] = [...state.groups] as [[number, { readonly keys: Uint8Array[] }]];
  const panes = [
    {
      start: 0,
      end: 10,
      key: Int32Array.of(0),
      cells: { records: Float64Array.of(4), 'sum(value)': Float64Array.of(30) },
      nulls: { value: Float64Array.of(1) },
      sketches: {},
      accumulators: null,
    },
  ];
  const restored = open({ windows, plan: means });
  restored.operator.restore?.([{ ...state, groups: new Map([[group, { keys: keyed.keys, panes }]]) }]);
  restored.operator.watermark(9);
  test.match(restored.bench.output.given[0], { kind: 'row', row: { value: { n: 4, mean: 10 } } });
  test.match([...state.groups.values()][0], { panes: [{ nulls: { value: Float64Array.of(0) } }] });
  given(bench);
});

void t.test('sketches that were stored one by one go on', async (test) => {
  const windows = { kind: 'tumbling', sizeMs: 10, offsetMs: 0 } as const;
  const plan = planCells({ n: count(), middle: p50('value') });
  const { operator } = open({ windows, plan });
  operator.records(records(['a', 1]));
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('no state');
  const [[group, keyed]] = [...state.groups] as [[number, WindowGroup]];
  const sketch = { exact: Float64Array.of(7, 5, 3), buckets: new Float64Array(0), floor: -Infinity, nans: 0 };
  const panes = keyed.panes.map((pane) => ({ ...pane, sketches: { value: [sketch] } }));
  const restored = open({ windows, plan });
  restored.operator.restore?.([{ ...state, groups: new Map([[group, { ...keyed, panes }]]) }]);
  restored.operator.watermark(9);
  test.match(restored.bench.output.given[0], { kind: 'row', row: { value: { middle: 5 } } });
});
