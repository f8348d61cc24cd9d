import t from 'tap';
import { count, type, valueState } from '#operators';
import type { GeneralWindowSpec } from '../../../operators/window/general-window-spec.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { defineTrigger, onEventTime } from '../../../operators/window/trigger.ts';
import { defineWindowFunction } from '../../../operators/window/window-process.ts';
import { manualClock } from '../../ops/support/manual-clock.ts';
import { folding, listing, type Row, start } from '../../support/general-window-bench.ts';

void t.test(
  'GW8: a record that the aggregate refuses leaves no trace: no window, no merge, no key',
  async (t) => {
    const it = start({ assigner: session(10), trigger: onEventTime() });
    it.give('a@0', 'a@20', { k: 'a', t: 10, v: -1 }, { k: 'b', t: 5, v: -1 });
    t.match(it.bench().errors, [
      { message: 'refused', time: 10 },
      { message: 'refused', time: 5 },
    ]);
    it.give('c@100');
    t.match(it.operator().counters?.(), { keys: 2, timers: 3 });
    it.watermark(50);
    t.same(it.results(), ['a[0,10)=0@9', 'a[20,30)=20@29']);
  },
);

void t.test(
  'GW8: a trigger that throws on a timer goes to the error handler with the key and window',
  async (t) => {
    const it = start({
      trigger: defineTrigger({
        name: 'broken',
        onRecord: () => 'continue',
        onEventTime() {
          throw new Error('broken');
        },
      }),
    });
    it.give('a@1');
    it.watermark(9);
    t.match(it.bench().errors, [
      { message: 'broken', row: { key: { k: 'a' }, window: { start: 0, end: 10 }, timer: 9 }, time: 9 },
    ]);
    t.equal(it.operator().counters?.().timers, 0, 'the window is cleaned up all the same');
  },
);

void t.test(
  'WP1: a function over elements gets them in order of arrival; what a throwing call emitted is not given',
  async (t) => {
    const picky = defineWindowFunction({
      key: type<{ k: string }>(),
      input: type<Row>(),
      output: type<unknown>(),
      sides: { odd: type<number>() },
      process(elements, { key, window, emit, side }) {
        emit({ key, window, value: Array.from(elements, (row) => row.t).join(' ') });
        for (const row of elements) if (row.t % 2 !== 0) side.odd(row.t);
        if (key.k === 'bad') throw new Error('picky');
      },
    });
    const it = start({ function: { kind: 'process', function: picky, over: null } });
    t.same(it.sides, ['late', 'odd']);
    it.give('a@3', 'a@1', 'a@2', 'bad@1');
    it.watermark(9);
    t.same(it.results(), ['a[0,10)=3 1 2@9']);
    t.same(it.bench().side('odd').take(), [
      { kind: 'row', row: 3, time: 9 },
      { kind: 'row', row: 1, time: 9 },
      { kind: 'watermark', time: 9 },
    ]);
    t.match(it.bench().errors, [{ message: 'picky', row: { key: { k: 'bad' } }, time: 9 }]);
  },
);

void t.test(
  'WP2: state per window is kept from firing to firing, across restores, and goes with the window',
  async (t) => {
    const cleared: string[] = [];
    const firings = defineWindowFunction({
      key: type<{ k: string }>(),
      input: type<Row>(),
      output: type<unknown>(),
      state: { firings: valueState<number>() },
      keyState: { windows: valueState<number>() },
      process(_elements, { key, window, state, keyState, emit, watermark, processingTime }) {
        const firing = (state.firings.get() ?? 0) + 1;
        if (firing === 1) keyState.windows.set((keyState.windows.get() ?? 0) + 1);
        state.firings.set(firing);
        const value = { firing, windows: keyState.windows.get(), watermark, processingTime };
        emit({ key, window, value });
      },
      clear({ key, window, state }) {
        cleared.push(`${key.k}${window.start}:${state.firings.get()}`);
      },
    });
    const it = start(
      { allowedLatenessMs: 5, function: { kind: 'process', function: firings, over: null } },
      manualClock(77),
    );
    it.give('a@1');
    it.watermark(9);
    it.restore();
    it.give('a@2');
    t.same(it.results(), ['a[0,10)={"firing":2,"windows":1,"watermark":9,"processingTime":77}@9']);
    it.watermark(14);
    t.same(cleared, ['a0:2']);
    it.give('a@15');
    it.restore();
    it.watermark(19);
    t.same(it.results(), ['a[10,20)={"firing":1,"windows":2,"watermark":19,"processingTime":77}@19']);
  },
);

void t.test('a function over an aggregate gets its value alone', async (t) => {
  const it = start({
    function: {
      kind: 'process',
      over: { kind: 'aggregate', aggregates: { n: count() } },
      function: defineWindowFunction({
        key: type<{ k: string }>(),
        input: type<{ n: number }>(),
        output: type<unknown>(),
        process(values, { key, window, emit }) {
          emit({ key, window, value: [...values] });
        },
      }),
    },
  });
  it.give('a@1', 'a@2');
  it.watermark(9);
  t.same(it.results(), ['a[0,10)=[{"n":2}]@9']);
});

void t.test('what does not go together is refused at once', async (t) => {
  const refused = (spec: Partial<GeneralWindowSpec>, message: RegExp) =>
    t.throws(() => start(spec), { code: 'MR_CONFIG_INVALID', message });
  const unmergeable = defineTrigger({ name: 'mine', onRecord: () => 'continue' });
  refused({ assigner: session(10), trigger: unmergeable }, /'mine' has no onMerge/);
  const { createAccumulator, add, getResult } = listing;
  refused(
    { assigner: session(10), function: folding({ createAccumulator, add, getResult }) },
    /no merge\(a, b\)/,
  );
  const withState = defineWindowFunction({
    input: type<Row>(),
    output: type<unknown>(),
    state: { n: valueState<number>() },
    process: () => {},
  });
  refused(
    { assigner: session(10), function: { kind: 'process', function: withState, over: null } },
    /per key \(keyState\)/,
  );
  const late = defineWindowFunction({
    input: type<Row>(),
    output: type<unknown>(),
    sides: { late: type<Row>() },
    process: () => {},
  });
  refused({ function: { kind: 'process', function: late, over: null } }, /side output 'late'/);
});
