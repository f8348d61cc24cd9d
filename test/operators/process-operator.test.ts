import t from 'tap';
import { type KeySelector, type Operator, type OperatorState } from '#engine';
import { defineOperator, mapState, type, valueState } from '#operators';
import { processOperator } from '../../operators/define-operator.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { createSubtasks } from '../support/subtasks.ts';

interface Row {
  readonly key: string;
  readonly do: string;
}
interface Key {
  readonly key: string;
}
const keys: KeySelector = { kind: 'fields', fields: ['key'] };

/** Does what its rows say: counts, sets and deletes timers, emits, throws. */
const obedient = defineOperator({
  key: type<Key>(),
  input: type<Row>(),
  output: type<string>(),
  state: { count: valueState<number>(), last: valueState<string>() },
  sides: { late: type<string>() },
  onRecord(row, { key, state, timers, emit, side, timestamp, watermark }) {
    state.count.set((state.count.get() ?? 0) + 1);
    const [verb, argument] = row.do.split(' ');
    if (verb === 'at') timers.at(Number(argument));
    if (verb === 'delete') timers.delete(Number(argument));
    if (verb === 'clear') {
      state.count.clear();
      state.last.clear();
    }
    if (verb === 'keep') state.last.set(argument as string);
    if (verb === 'say') emit(`${key.key} ${state.count.get()} ${state.last.get() ?? '-'} at ${timestamp}`);
    if (verb === 'side') side.late(`${key.key} behind ${watermark}`);
    if (verb === 'throw') throw new Error('told to');
  },
  onTimer(firedAt, { key, state, timers, emit, timestamp }) {
    emit(`${key.key} timer ${firedAt} ${timestamp} count ${state.count.get() ?? 0}`);
    if (state.last.get() === 'again') timers.at(firedAt);
    if (state.last.get() === 'later') timers.at(firedAt + 10);
    if (state.last.get() === 'throw') throw new Error('in a timer');
  },
});
const definition = processOperator(obedient as never);

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';
  const open = () => {
    const bench = createOperatorBench({ keys, interpreted });
    const operator = definition.create(bench.context);
    const tell = (key: string, what: string, time = 0) =>
      operator.records(rowRecords([{ key, do: what }], [time]));
    return {
      bench,
      operator,
      tell,
      said: () => bench.output.take().flatMap((it) => (it.kind === 'row' ? [it.row] : [])),
    };
  };

  void t.test(`PO1: state is per key, and gone when cleared (${how})`, async (test) => {
    const { tell, said, operator } = open();
    tell('a', 'keep x');
    tell('b', 'say', 5);
    tell('a', 'say', 7);
    test.same(said(), ['b 1 - at 5', 'a 2 x at 7']);
    tell('a', 'clear');
    tell('b', 'clear');
    tell('c', 'clear');
    tell('a', 'say');
    test.same(said(), ['a 1 - at 0']);
    tell('a', 'clear');
    tell('d', 'clear');
    test.ok((operator.counters?.().keys ?? Number.NaN) <= 2, 'keys without state are let go');
  });

  void t.test(
    `PO2 KT1: timers fire in time order before the watermark, once each, unless deleted (${how})`,
    async (test) => {
      const { tell, bench, operator, said } = open();
      for (const time of [30, 10, 20, 10, 40]) tell('a', `at ${time}`);
      tell('b', 'at 10');
      tell('a', 'delete 20');
      tell('b', 'delete 10');
      tell('b', 'delete 99');
      test.equal(operator.counters?.().timers, 3);
      operator.watermark(30);
      test.same(
        bench.output.take().map((it) => (it.kind === 'row' ? it.row : it)),
        ['a timer 10 10 count 6', 'a timer 30 30 count 6', { kind: 'watermark', time: 30 }],
      );
      operator.watermark(39);
      test.same(said(), []);
      operator.watermark(40);
      test.same(said(), ['a timer 40 40 count 6']);
    },
  );

  void t.test(`a timer for a time that has passed fires with the next watermark (${how})`, async (test) => {
    const { tell, operator, said } = open();
    operator.watermark(100);
    tell('a', 'at 50');
    test.same(said(), []);
    operator.watermark(101);
    test.same(said(), ['a timer 50 50 count 1']);
  });

  void t.test(
    `PO3 KT2: a timer that sets itself again fires once per watermark; one that walks on catches up (${how})`,
    async (test) => {
      // Regression: a timer set in onTimer for the time that fired kept the watermark in a loop without end.
      const { tell, operator, said } = open();
      tell('a', 'keep again');
      tell('a', 'at 10');
      operator.watermark(20);
      test.same(said(), ['a timer 10 10 count 2']);
      operator.watermark(21);
      test.same(said(), ['a timer 10 10 count 2']);
      tell('b', 'keep later');
      tell('b', 'at 30');
      tell('a', 'clear');
      operator.watermark(55);
      test.same(said(), [
        'a timer 10 10 count 0',
        'b timer 30 30 count 2',
        'b timer 40 40 count 2',
        'b timer 50 50 count 2',
      ]);
    },
  );

  void t.test(
    `sides, throwing functions and records without a key go where they belong (${how})`,
    async (test) => {
      const { tell, bench, operator, said } = open();
      operator.watermark(9);
      tell('a', 'side', 3);
      test.same(bench.side('late').rows(), ['a behind 9']);
      tell('a', 'throw', 4);
      tell(null as unknown as string, 'say', 5);
      tell('a', 'keep throw');
      tell('a', 'at 12');
      operator.watermark(12);
      test.same(said(), ['a timer 12 12 count 4']);
      test.same(
        bench.errors.map(({ code, time, row }) => [code, time, row]),
        [
          ['NONE', 4, { key: 'a', do: 'throw' }],
          ['MR_KEY_INVALID', 5, { key: null, do: 'say' }],
          ['NONE', 12, { timer: 12, key: { key: 'a' } }],
        ],
      );
      tell('a', 'at Infinity');
      test.match(bench.errors.at(-1), { code: 'MR_OPERATOR_FAILED' });
    },
  );
}

void t.test('state and timers survive a restore at any parallelism', async (test) => {
  const rows = (what: string) =>
    Array.from({ length: 50 }, (_, i): Row => ({ key: `key-${i}`, do: what.replace('#', String(i)) }));
  const form = (some: readonly Row[]) =>
    rowRecords(
      some,
      some.map(() => 1),
    );
  const run = (parallelisms: readonly (number | null)[]) => {
    const subtasks = createSubtasks(definition, { keys, interpreted: false });
    const steps = [
      rows('keep v#'),
      rows('at 1#'),
      rows('at 500'),
      rows('delete 500').slice(0, 25),
      rows('say'),
    ];
    const said: unknown[] = [];
    for (const [i, step] of steps.entries()) {
      const parallelism = parallelisms[i];
      if (parallelism !== null && parallelism !== undefined) subtasks.restore(parallelism);
      subtasks.records(step, form);
    }
    subtasks.watermark(120);
    said.push(...subtasks.take().results);
    subtasks.restore(parallelisms.at(-1) ?? 1);
    subtasks.watermark(1000);
    said.push(...subtasks.take().results);
    return said.map(String).sort();
  };
  const expected = run([]);
  test.equal(expected.length, 50 + 50 + 25);
  for (const parallelisms of [
    [1, 1, 1, 1],
    [3, 2, 1, 5],
    [null, 4, null, 1, 2],
    [2, 3],
  ])
    test.same(run(parallelisms), expected, parallelisms.join());
});

void t.test('state and timers that were stored pair by pair are read, and stored anew', async (test) => {
  const operator = definition.create(createOperatorBench({ keys }).context);
  for (const [key, what] of [
    ['a', 'keep x'],
    ['a', 'at 30'],
    ['b', 'at 10'],
  ] as const)
    operator.records(rowRecords([{ key, do: what }], [1]));
  const now = operator.snapshot?.() as OperatorState;
  const stored = new Map(now.groups);
  const form = { kind: 'value', version: 1, timed: false };
  const before = [...stored].map(([number, group]) => {
    const { keys: packed, timers } = group as {
      readonly keys: unknown;
      readonly timers: { readonly times: ArrayLike<number> };
    };
    const isA = timers.times[0] === 30;
    const last = isA ? { last: { ...form, cells: [[0, 'x']] } } : {};
    const state = { count: { ...form, cells: [[0, isA ? 2 : 1]] }, ...last };
    return [number, { keys: packed, state, timers: [[0, isA ? 30 : 10]], processingTimers: [] }] as const;
  });
  const bench = createOperatorBench({ keys });
  const restored = definition.create(bench.context);
  restored.restore?.([{ ...now, groups: new Map<number, unknown>(before) }]);
  const after = restored.snapshot?.() as OperatorState;
  test.same(after.dirty, new Set(before.map(([number]) => number)));
  test.same(new Map(after.groups), stored);
  restored.watermark(30);
  restored.records(rowRecords([{ key: 'a', do: 'say' }], [40]));
  test.same(
    bench.output.take().flatMap((it) => (it.kind === 'row' ? [it.row] : [])),
    ['b timer 10 10 count 1', 'a timer 30 30 count 2', 'a 3 x at 40'],
  );
});

void t.test('map state that was stored entry by entry is read', async (test) => {
  const sums = defineOperator({
    key: type<Key>(),
    input: type<Row>(),
    output: type<unknown>(),
    state: { sums: mapState<number | string, number[]>() },
    onRecord(row, { state, emit }) {
      emit([...state.sums.entries()]);
      state.sums.set(row.do, [row.do.length, 0.5]);
    },
  });
  const open = () => {
    const bench = createOperatorBench({ keys });
    return { bench, operator: processOperator(sums as never).create(bench.context) };
  };
  const first = open().operator;
  first.records(rowRecords([{ key: 'a', do: 'keep x' }], [1]));
  const now = first.snapshot?.() as OperatorState;
  const before = [...new Map(now.groups)].map(([number, group]) => {
    const form = { kind: 'map', version: 1, timed: false };
    const values = [
      [
        [5, [1, 2]],
        ['y', [3]],
      ],
    ];
    return [number, { ...(group as object), state: { sums: { ...form, keys: [0], values } } }] as const;
  });
  const { bench, operator } = open();
  operator.restore?.([{ ...now, groups: new Map<number, unknown>(before) }]);
  const again = open();
  again.operator.restore?.([operator.snapshot?.() as OperatorState]);
  for (const it of [operator, again.operator]) it.records(rowRecords([{ key: 'a', do: 'say' }], [2]));
  for (const { output } of [bench, again.bench])
    test.strictSame(
      output.take().flatMap((it) => (it.kind === 'row' ? [it.row] : [])),
      [
        [
          [5, [1, 2]],
          ['y', [3]],
        ],
      ],
    );
});

void t.test('stored state that the operator no longer declares is refused', async (test) => {
  const subtasks = createSubtasks(definition, { keys, interpreted: false });
  subtasks.records([{ key: 'a', do: 'keep x' }], (some) => rowRecords(some, [1]));
  const state = (subtasks.operators()[0] as Operator).snapshot?.();
  const smaller = processOperator(
    defineOperator({
      key: type<Key>(),
      input: type<Row>(),
      output: type<string>(),
      state: { count: valueState<number>() },
      onRecord() {},
    }) as never,
  );
  const operator = smaller.create(createOperatorBench({ keys }).context);
  test.throws(() => operator.restore?.([state as never]), {
    code: 'MR_STATE_INCOMPATIBLE',
    message: /'last'/,
  });
});
