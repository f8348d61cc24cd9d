import t from 'tap';
import { type Clock, MAX_WATERMARK, MIN_WATERMARK } from '#engine';
import { count, sum, type, tumbling, valueState } from '#operators';
import type { AggregateFunction } from '../../../operators/window/aggregate-function.ts';
import type { SlidingWindows } from '../../../operators/window/assigner.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import type { GeneralWindowSpec, WindowAggregation } from '../../../operators/window/general-window-spec.ts';
import { countWindow, global } from '../../../operators/window/global-windows.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { defineTrigger, onCount, onEventTime, purging } from '../../../operators/window/trigger.ts';
import { defineWindowFunction, type WindowFunction } from '../../../operators/window/window-process.ts';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import { manualClock } from '../../ops/support/manual-clock.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly k: string;
  readonly t: number;
  readonly v?: number;
}

/** One subtask of a general window, keyed by `k`. */
function start(spec: Partial<GeneralWindowSpec>, clock: Clock = manualClock(0)) {
  const definition = generalWindow({
    assigner: tumbling(10),
    trigger: null,
    allowedLatenessMs: 0,
    function: folding(listing),
    ...spec,
  });
  const open = (bench: OperatorBench) => ({ bench, operator: definition.create(bench.context) });
  const changes = { keys: { kind: 'fields' as const, fields: ['k'] }, clock };
  let { bench, operator } = open(createOperatorBench(changes));
  return {
    clock,
    bench: () => bench,
    operator: () => operator,
    sides: definition.sides,
    /** Records `k@t`. */
    give: (...rows: readonly (string | Row)[]) => {
      const all = rows.map((row) => (typeof row === 'string' ? parse(row) : row));
      operator.records(
        rowRecords(
          all,
          all.map((row) => row.t),
        ),
      );
    },
    watermark: (time: number) => operator.watermark(time),
    poll: () => operator.poll?.(),
    restore(changed: Partial<GeneralWindowSpec> | null = null) {
      const bytes = encodeSnapshot(operator.snapshot?.() as never);
      const other = changed === null ? null : start(changed, clock);
      const into =
        other === null
          ? open(createOperatorBench(changes))
          : { bench: other.bench(), operator: other.operator() };
      into.operator.restore?.([decodeSnapshot(bytes, [0, 127])]);
      ({ bench, operator } = into);
    },
    /** Results since the last call, as `k[start,end)=value@time`. */
    results: () => bench.output.take().flatMap((it) => (it.kind === 'row' ? [shown(it.row, it.time)] : [])),
    late: () =>
      bench
        .side('late')
        .take()
        .flatMap((it) => (it.kind === 'row' ? [(it.row as Row).t] : [])),
  };
}

function parse(text: string): Row {
  const [k, time] = text.split('@') as [string, string];
  return { k, t: Number(time) };
}

function shown(row: unknown, time: number): string {
  const { key, window, value } = row as {
    key: { k: string };
    window: { start: number; end: number };
    value: unknown;
  };
  const span = window.end === MAX_WATERMARK ? '' : `[${window.start},${window.end})`;
  return `${key.k}${span}=${typeof value === 'string' ? value : JSON.stringify(value)}@${time}`;
}

/** The times of a window's records, in order; refuses v = −1. */
const listing: AggregateFunction<Row, string[], string> = {
  createAccumulator: () => [],
  add(row, seen) {
    if (row.v === -1) throw new Error('refused');
    return [...seen, String(row.t)];
  },
  merge: (a, b) => [...a, ...b],
  getResult: (seen) => seen.join(' '),
};

function folding(fold: AggregateFunction<Row, string[], string>): WindowAggregation {
  return { kind: 'fold', fold: fold as AggregateFunction<never, unknown, unknown> };
}

const sliding = (sizeMs: number, slideMs: number): SlidingWindows => ({
  kind: 'sliding',
  sizeMs,
  slideMs,
  offsetMs: 0,
});

void t.test('GW1 E3: sliding vectors: 12 is in [10,20) and [5,15), −1 in [−5,5) and [−10,0)', async (t) => {
  const it = start({ assigner: sliding(10, 5) });
  it.give('a@12', 'b@-1');
  it.watermark(100);
  t.same(it.results(), ['b[-10,0)=-1@-1', 'b[-5,5)=-1@4', 'a[5,15)=12@14', 'a[10,20)=12@19']);
});

void t.test(
  'GW1: a record between windows (7, size 5, slide 10) is in none, and not late either',
  async (t) => {
    const it = start({ assigner: sliding(5, 10) });
    it.give('a@7');
    it.watermark(6);
    it.give('a@7');
    t.same(it.late(), []);
    it.watermark(7);
    it.give('a@7');
    t.same(it.late(), [7], 'but it is late once the watermark has reached it');
    it.watermark(100);
    t.same(it.results(), []);
  },
);

void t.test('GW1: a record is late only when all its windows are over', async (t) => {
  const it = start({ assigner: sliding(10, 5) });
  it.watermark(14);
  it.give('a@12');
  t.same(it.late(), [], 'of [5,15) and [10,20) only the first is over');
  it.watermark(19);
  t.same(it.results(), ['a[10,20)=12@19']);
  it.give('a@12');
  t.same(it.late(), [12]);
  t.equal(it.operator().counters?.().lateRecords, 1);
});

void t.test('GW2: fire keeps the contents, fire-and-purge forgets them', async (t) => {
  const keeping = start({ trigger: onCount(2) });
  keeping.give('a@1', 'a@2', 'a@3', 'a@4');
  t.same(keeping.results(), ['a[0,10)=1 2@9', 'a[0,10)=1 2 3 4@9']);
  const forgetting = start({ trigger: purging(onCount(2)) });
  forgetting.give('a@1', 'a@2', 'a@3', 'a@4');
  t.same(forgetting.results(), ['a[0,10)=1 2@9', 'a[0,10)=3 4@9']);
});

void t.test('GW2: purge drops contents without a result, and leaves the state of the trigger', async (t) => {
  const everyThirdPurges = defineTrigger({
    name: 'third-purges',
    state: () => ({ seen: 0 }),
    onRecord(_row, _time, { state }) {
      state.seen++;
      return state.seen === 3 ? 'purge' : state.seen === 5 ? 'fire' : 'continue';
    },
  });
  const it = start({ trigger: everyThirdPurges });
  it.give('a@1', 'a@2', 'a@3', 'a@4', 'a@5');
  t.same(it.results(), ['a[0,10)=4 5@9']);
});

void t.test('GW2: a purged window that fires without new records gives nothing', async (t) => {
  const it = start({ trigger: purging(onEventTime()), allowedLatenessMs: 10 });
  it.give('a@1');
  it.watermark(9);
  t.same(it.results(), ['a[0,10)=1@9']);
  it.give('a@2');
  t.same(it.results(), ['a[0,10)=2@9'], 'a late record is a result of its own');
  it.watermark(100);
  t.same(it.results(), []);
});

void t.test(
  'GW3 E3: within the allowed lateness each record fires the window again, at its cleanup all is gone',
  async (t) => {
    const it = start({ allowedLatenessMs: 5 });
    it.give('a@1');
    it.watermark(9);
    it.give('a@2');
    it.watermark(13);
    it.give('a@3');
    t.same(it.results(), ['a[0,10)=1@9', 'a[0,10)=1 2@9', 'a[0,10)=1 2 3@9']);
    t.equal(it.operator().counters?.().timers, 1);
    it.watermark(14);
    t.equal(it.operator().counters?.().timers, 0);
    it.give('a@4');
    t.same([it.results(), it.late()], [[], [4]]);
  },
);

void t.test(
  'GW3 GS2: the trigger is asked a last time at the cleanup, also when it deleted that timer',
  async (t) => {
    const asked: number[] = [];
    const it = start({
      allowedLatenessMs: 5,
      trigger: defineTrigger({
        name: 'last-words',
        onRecord(_row, _time, { timers }) {
          timers.atEventTime(14);
          timers.deleteEventTime(14);
          return 'continue';
        },
        onEventTime(time) {
          asked.push(time);
          return 'fire';
        },
      }),
    });
    it.give('a@1');
    it.watermark(13);
    t.same(asked, []);
    it.watermark(20);
    t.same([asked, it.results()], [[14], ['a[0,10)=1@9']]);
  },
);

void t.test('GS2: a timer for the cleanup time is the cleanup: one firing, deleted or not', async (t) => {
  const fired: number[] = [];
  const it = start({
    trigger: defineTrigger({
      name: 'at-the-cleanup',
      onRecord(_row, _time, { timers }) {
        timers.atEventTime(9);
        timers.atEventTime(9);
        return 'continue';
      },
      onEventTime(time) {
        fired.push(time);
        return 'continue';
      },
    }),
  });
  it.give('a@1');
  it.watermark(20);
  t.same(fired, [9]);
  t.equal(it.operator().counters?.().timers, 0);
});

void t.test('GS1: a key is held by its windows, and by nothing that they leave behind', async (t) => {
  const it = start({
    trigger: defineTrigger({
      name: 'many-timers',
      onRecord(_row, time, { timers }) {
        for (const after of [1, 2, 500]) timers.atEventTime(time + after);
        timers.atProcessingTime(1000);
        return 'continue';
      },
      onEventTime: () => 'continue',
      onProcessingTime: () => 'continue',
    }),
  });
  const keys = () => it.operator().counters?.().keys;
  for (let round = 0; round < 20; round++) {
    it.give(`key-${round}@${round * 10}`, `long@${round * 10}`);
    t.equal(keys(), 2, 'those of the round before have gone with their windows');
    it.watermark(round * 10 + 9);
  }
  it.give('last@500');
  t.equal(keys(), 1);
  t.same(it.operator().waiting?.(), { what: 'window', until: 501, count: 1 });
});

void t.test('GW3: timers go with their window', async (t) => {
  const fired: number[] = [];
  const it = start({
    trigger: defineTrigger({
      name: 'too-late',
      onRecord(_row, _time, { timers }) {
        timers.atEventTime(50);
        timers.atProcessingTime(50);
        return 'continue';
      },
      onEventTime(time) {
        fired.push(time);
        return 'continue';
      },
      onProcessingTime(time) {
        fired.push(time);
        return 'continue';
      },
    }),
  });
  it.give('a@1');
  it.watermark(9);
  it.give('b@11');
  it.watermark(60);
  t.same(fired, [9, 19], 'only the cleanups');
  t.equal(it.operator().waiting?.(), null);
});

void t.test('GW4: results of a global window carry its newest event time, and are never late', async (t) => {
  const it = start({ assigner: global(), trigger: onCount(2) });
  it.give('a@7', 'a@3');
  t.same(it.results(), ['a=7 3@7']);
  it.watermark(20);
  it.give('a@4', 'a@5');
  t.same(it.results(), ['a=7 3 4 5@21'], 'later than the watermark that was handed on');
  const [first] = (it.give('b@30', 'b@25'), it.bench().output.given);
  t.match(first, { row: { window: { start: MIN_WATERMARK, end: MAX_WATERMARK } }, time: 30 });
});

void t.test(
  'E3: a global window gives nothing without a trigger, not even at the end of its input',
  async (t) => {
    const it = start({ assigner: global() });
    it.give('a@1', 'a@2');
    it.watermark(MAX_WATERMARK);
    t.same(it.results(), []);
  },
);

void t.test(
  'E3: a global window with the event-time trigger gives its result at the end of its input',
  async (t) => {
    const it = start({ assigner: global(), trigger: onEventTime() });
    it.give('a@1', 'a@2');
    it.watermark(1_000);
    t.same(it.results(), []);
    it.watermark(MAX_WATERMARK);
    t.same(it.results(), [`a=1 2@1001`]);
    t.equal(it.operator().counters?.().timers, 0);
  },
);

void t.test('E3: countWindow(3) gives each three records once and then forgets the key', async (t) => {
  const it = start({ assigner: countWindow(3) });
  it.give('a@1', 'b@1', 'a@2', 'a@3', 'a@4', 'b@5', 'b@6');
  t.same(it.results(), ['a=1 2 3@3', 'b=1 5 6@6']);
  it.give('a@8', 'a@9');
  t.same(it.results(), ['a=4 8 9@9']);
  it.give('c@1');
  t.match(it.operator().counters?.(), { keys: 1, timers: 1 }, 'a and b are held by nothing');
});

void t.test('E3: countWindow(4, 2) gives the last four records after every second', async (t) => {
  const it = start({
    assigner: countWindow(4, 2),
    function: { kind: 'aggregate', aggregates: { n: count(), total: sum<Row>((row) => row.t) } },
  });
  it.give(...Array.from({ length: 11 }, (_, i) => `a@${i + 1}`));
  t.same(it.results(), [
    'a={"n":2,"total":3}@2',
    'a={"n":4,"total":10}@4',
    'a={"n":4,"total":18}@6',
    'a={"n":4,"total":26}@8',
    'a={"n":4,"total":34}@10',
  ]);
});

void t.test('E3: countWindow(2, 5) gives the last two records after every fifth', async (t) => {
  const it = start({ assigner: countWindow(2, 5) });
  it.give(...Array.from({ length: 11 }, (_, i) => `a@${i + 1}`));
  t.same(it.results(), ['a=4 5@5', 'a=9 10@10']);
});

void t.test('GW5 E3: records exactly a gap apart are one session, one more ms makes two', async (t) => {
  const it = start({ assigner: session(10), trigger: onEventTime() });
  it.give('a@0', 'a@10', 'b@0', 'b@11');
  it.watermark(100);
  t.same(it.results(), ['b[0,10)=0@9', 'a[0,20)=0 10@19', 'b[11,21)=11@20']);
});

void t.test(
  'GW5: a record that bridges two sessions joins their contents and the counts of their triggers',
  async (t) => {
    const it = start({ assigner: session(10), trigger: onCount(5) });
    it.give('a@0', 'a@1', 'a@20', 'a@21');
    t.equal(it.operator().counters?.().timers, 2);
    it.give('a@10');
    t.same(it.results(), ['a[0,31)=0 1 20 21 10@30']);
    t.equal(it.operator().counters?.().timers, 1);
  },
);

void t.test(
  'GW5: a trigger that counted enough through a merge fires with the record after it',
  async (t) => {
    const it = start({ assigner: session(10), trigger: onCount(3) });
    it.give('a@0', 'a@1', 'a@20', 'a@21');
    t.same(it.results(), []);
    it.give('a@10');
    t.same(it.results(), ['a[0,31)=0 1 20 21 10@30'], '2 + 2 + 1 ≥ 3');
  },
);

void t.test('GW5: timers of sessions that vanished are gone, the joint session has its own', async (t) => {
  const it = start({ assigner: session(10), trigger: onEventTime() });
  it.give('a@0', 'a@5');
  it.watermark(9);
  t.same(it.results(), [], 'the timer at 9 went when [0,10) grew');
  it.watermark(14);
  t.same(it.results(), ['a[0,15)=0 5@14']);
});

void t.test(
  'GW5: a record whose own window is over is kept when it touches a session that is not',
  async (t) => {
    const it = start({ assigner: session(10), trigger: onEventTime() });
    it.give('a@20');
    it.watermark(22);
    it.give('a@11', 'a@5');
    t.same(it.late(), [], '[11,21) is over by itself, [11,30) is not; then [5,15) touches that');
    it.give('b@5');
    t.same(it.late(), [5]);
    it.watermark(29);
    t.same(it.results(), ['a[5,30)=20 11 5@29']);
  },
);

void t.test(
  'GW5: an authors’ trigger sees the states of the merged sessions, earliest first, and sets its timers anew',
  async (t) => {
    const seen: unknown[] = [];
    const it = start({
      assigner: session(10),
      trigger: defineTrigger({
        name: 'names',
        state: (): string[] => [],
        onRecord(row: Row, _time, context) {
          context.state.push(`${row.k}${row.t}`);
          return 'continue';
        },
        onMerge(states, context) {
          seen.push([structuredClone(states), context.window, [...context.state]]);
          context.state = states.flat();
          context.timers.atEventTime(25);
        },
        onEventTime: (time) => (time === 25 ? 'fire' : 'continue'),
      }) as never,
    });
    it.give('a@20', 'a@0');
    it.restore();
    it.give('a@10');
    t.same(seen, [[[['a0'], ['a20']], { start: 0, end: 30 }, []]], 'and fresh state of its own');
    it.watermark(25);
    t.same(it.results(), ['a[0,30)=0 20 10@29']);
  },
);

void t.test('GW6: timers fire in order of time over all keys, before the watermark goes on', async (t) => {
  const it = start({ allowedLatenessMs: 3 });
  it.give('b@11', 'a@1', 'c@21');
  it.watermark(25);
  const given = it.bench().output.given;
  t.same(
    given.map((one) => (one.kind === 'row' ? one.time : one.kind)),
    [9, 19, 'watermark'],
  );
  t.same(it.bench().side('late').given, [{ kind: 'watermark', time: 25 }]);
  it.operator().idle();
  t.same([given.at(-1), it.bench().side('late').given.at(-1)], [{ kind: 'idle' }, { kind: 'idle' }]);
});

void t.test(
  'GW7: after a restore nothing that fired fires again, and what was over stays over',
  async (t) => {
    const it = start({ allowedLatenessMs: 5 });
    it.give('a@1');
    it.watermark(10);
    t.same(it.results(), ['a[0,10)=1@9']);
    it.restore();
    it.watermark(11);
    t.same(it.results(), []);
    it.give('a@2');
    t.same(it.results(), ['a[0,10)=1 2@9']);
    it.watermark(14);
    it.restore();
    it.give('a@3');
    t.same([it.results(), it.late()], [[], [3]]);
  },
);

void t.test('GW7: a snapshot does not change with what comes after it', async (t) => {
  const spec: Partial<GeneralWindowSpec>[] = [
    { function: folding(listing) },
    { function: { kind: 'process', function: elementsOf, over: null } },
    { function: { kind: 'aggregate', aggregates: { n: count() } } },
  ];
  for (const one of spec) {
    const taken = (goOn: boolean) => {
      const it = start(one);
      it.give('a@1', 'b@2');
      const state = it.operator().snapshot?.();
      if (goOn) {
        it.give('a@3', 'b@4', 'c@5');
        it.watermark(100);
      }
      return [...(state?.groups.entries() ?? [])];
    };
    t.same(taken(true), taken(false));
  }
});

void t.test('GW7: windows of another kind, another trigger or other contents are refused', async (t) => {
  const refused = (spec: Partial<GeneralWindowSpec>, message: RegExp) => {
    const it = start({});
    it.give('a@1');
    t.throws(() => it.restore(spec), { code: 'MR_STATE_INCOMPATIBLE', message });
  };
  refused({ assigner: tumbling(20) }, /tumbling windows of 10 ms.*asks for tumbling windows of 20 ms/);
  refused({ assigner: session(10) }, /asks for sessions/);
  refused({ trigger: onCount(3) }, /'event-time'.*trigger 'on-count\(3\)'/);
  refused({ function: { kind: 'process', function: elementsOf, over: null } }, /accumulator/);
});

void t.test('GW7: the lateness may change across a restore', async (t) => {
  const it = start({ allowedLatenessMs: 0 });
  it.give('a@1');
  it.restore({ allowedLatenessMs: 10 });
  it.watermark(12);
  it.give('a@2');
  t.same(it.results(), ['a[0,10)=1@9', 'a[0,10)=1 2@9']);
});

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

void t.test('E2: waiting() names the earliest time that a trigger waits for', async (t) => {
  const it = start({ allowedLatenessMs: 50 });
  t.equal(it.operator().waiting?.(), null);
  it.give('a@11', 'b@1', 'b@2');
  t.same(it.operator().waiting?.(), { what: 'window', until: 9, count: 2 });
  it.watermark(9);
  t.same(it.operator().waiting?.(), { what: 'window', until: 19, count: 1 }, 'a cleanup gives nothing');
});

/** Elements as the listing shows them. */
const elementsOf: WindowFunction<{ k: string }, Row, unknown, unknown> = defineWindowFunction({
  key: type<{ k: string }>(),
  input: type<Row>(),
  output: type<unknown>(),
  process(elements, { key, window, emit }) {
    emit({ key, window, value: Array.from(elements, (row) => row.t).join(' ') });
  },
});

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
