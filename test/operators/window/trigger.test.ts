import t from 'tap';
import { MAX_WATERMARK } from '#engine';
import { tumbling } from '#operators';
import type { AggregateFunction } from '../../../operators/window/aggregate-function.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import type { WindowAssigner } from '../../../operators/window/general-window-spec.ts';
import { countWindow, global } from '../../../operators/window/global-windows.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { defineTrigger, onCount, onProcessingTime, type Trigger } from '../../../operators/window/trigger.ts';
import {
  continuousEventTime,
  continuousProcessingTime,
} from '../../../operators/window/trigger-continuous.ts';
import { emitEarly } from '../../../operators/window/trigger-early.ts';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import { manualClock } from '../../ops/support/manual-clock.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';

/** Times of the window's records. */
const listing: AggregateFunction<never, number[], string> = {
  createAccumulator: () => [],
  add: (row: { t: number }, seen) => [...seen, row.t],
  merge: (a, b) => [...a, ...b],
  getResult: (seen) => seen.join(' '),
};

/** One key's windows, on a clock that starts at 1,000. */
function start(
  trigger: Trigger<never>,
  { assigner = tumbling(100), latenessMs = 0 }: { assigner?: WindowAssigner; latenessMs?: number } = {},
) {
  const clock = manualClock(1_000);
  const definition = generalWindow({
    assigner,
    trigger,
    allowedLatenessMs: latenessMs,
    function: { kind: 'fold', fold: listing as AggregateFunction<never, unknown, unknown> },
  });
  const open = () => {
    const bench = createOperatorBench({ keys: { kind: 'function', select: () => 'k' }, clock });
    return { bench, operator: definition.create(bench.context) };
  };
  let { bench, operator } = open();
  const results = () =>
    bench.output.take().flatMap((it) => (it.kind === 'row' ? [(it.row as { value: string }).value] : []));
  return {
    results,
    bench: () => bench,
    waiting: () => operator.waiting?.(),
    give(...times: readonly number[]) {
      const rows = times.map((time) => ({ t: time }));
      operator.records(rowRecords(rows, times));
      return results();
    },
    watermark(time: number) {
      operator.watermark(time);
      return results();
    },
    advance(ms: number) {
      clock.advance(ms);
      operator.poll?.();
      return results();
    },
    restore(downMs = 0) {
      const bytes = encodeSnapshot(operator.snapshot?.() as never);
      clock.advance(downMs);
      ({ bench, operator } = open());
      operator.restore?.([decodeSnapshot(bytes, [0, 127])]);
    },
  };
}

void t.test('E3: continuousEventTime fires at each multiple, at the end, and for late records', async (t) => {
  const it = start(continuousEventTime(30), { latenessMs: 50 });
  t.same(it.give(5, 40), []);
  t.same(it.watermark(29), []);
  t.same(it.watermark(30), ['5 40']);
  t.same(it.give(50), []);
  t.same(it.watermark(61), ['5 40 50']);
  t.same(it.watermark(90), ['5 40 50'], 'also when nothing is new');
  t.same(it.watermark(99), ['5 40 50']);
  t.same(it.give(7), ['5 40 50 7']);
  t.same(it.watermark(1_000), []);
});

void t.test('E3: a watermark that passes several multiples, or the end, gives one result', async (t) => {
  const it = start(continuousEventTime(10));
  it.give(5);
  t.same(it.watermark(77), ['5']);
  t.same(it.watermark(500), ['5']);
  const endless = start(continuousEventTime(10), { assigner: global() });
  endless.give(5);
  t.same(endless.watermark(1e15), ['5']);
  t.same(endless.watermark(MAX_WATERMARK), ['5'], 'the end of the input is the end of a global window');
});

void t.test('E3: continuousEventTime of negative times fires at the multiple after them', async (t) => {
  const it = start(continuousEventTime(30));
  it.give(-95);
  t.same(it.watermark(-91), []);
  t.same(it.watermark(-90), ['-95']);
});

void t.test('E3: merged sessions keep the earliest next firing of a continuous trigger', async (t) => {
  const it = start(continuousEventTime(25), { assigner: session(10) });
  it.give(42, 28);
  it.give(36);
  t.same(it.watermark(36), [], '28 would have fired at its session’s last, 37');
  t.same(it.watermark(37), ['28 42 36']);
  t.same(it.watermark(50), ['28 42 36']);
  t.same(it.watermark(51), ['28 42 36'], 'the joint session ends at 51');
  t.same(it.watermark(1_000), []);
});

void t.test(
  'E3: continuousProcessingTime fires at multiples of the clock until the cleanup, and not at the end',
  async (t) => {
    const it = start(continuousProcessingTime(30));
    t.same(it.give(5), []);
    t.same(it.advance(19), []);
    t.same(it.advance(1), ['5'], 'at 1,020');
    t.same(it.give(6), []);
    t.same(it.advance(29), []);
    t.same(it.advance(1), ['5 6'], 'at 1,050');
    t.same(it.give(7), []);
    t.same(it.watermark(99), []);
    t.same(it.advance(1_000), []);
    t.equal(it.waiting(), null);
  },
);

void t.test(
  'E6 GW7: clock timers that became due while the job was down fire once, with the first poll',
  async (t) => {
    const it = start(continuousProcessingTime(30));
    it.give(5);
    it.restore(10_000);
    t.same(it.waiting(), { what: 'processing-time timer', until: 1_020, count: 1 });
    t.same(it.advance(0), ['5']);
    t.same(it.advance(0), []);
    t.same(it.waiting(), { what: 'processing-time timer', until: 11_010, count: 1 });
    t.equal(it.bench().wakes, 1, 'the operator asked for that turn');
  },
);

void t.test('E3: onProcessingTime fires when the clock passes the window’s last millisecond', async (t) => {
  const it = start(onProcessingTime(), { latenessMs: 10_000 });
  it.give(1_005, 1_050);
  t.same(it.watermark(1_200), [], 'whatever the watermark says');
  t.same(it.advance(98), []);
  t.same(it.advance(1), ['1005 1050']);
  t.same(it.give(1_010), []);
  t.same(it.advance(0), ['1005 1050 1010'], 'a later record fires it again in the next turn');
});

void t.test('E3: onProcessingTime never fires a global window', async (t) => {
  const it = start(onProcessingTime(), { assigner: global() });
  it.give(1);
  t.same(it.advance(1e12), []);
  t.equal(it.waiting(), null);
});

void t.test(
  'E3: early results by event time come only with something new, the one on time always',
  async (t) => {
    const it = start(emitEarly({ every: 20, on: 'event-time', mode: 'accumulate' }), { latenessMs: 50 });
    it.give(5);
    t.same(it.watermark(19), []);
    t.same(it.watermark(20), ['5']);
    t.same(it.watermark(45), [], 'nothing new at 40');
    it.give(30);
    t.same(it.watermark(59), []);
    t.same(it.watermark(60), ['5 30'], 'the next multiple after the watermark, not the record');
    t.same(it.watermark(99), ['5 30']);
    t.same(it.give(31), ['5 30 31'], 'late: each');
    t.same(it.watermark(1_000), []);
  },
);

void t.test('E3: early results by the clock; discard mode gives each record once', async (t) => {
  const it = start(emitEarly({ every: 20, on: 'processing-time', mode: 'discard' }), { latenessMs: 50 });
  it.give(1, 2);
  t.same(it.advance(20), ['1 2']);
  t.same(it.advance(20), []);
  it.give(3);
  it.restore();
  t.same(it.advance(20), ['3']);
  it.give(4);
  t.same(it.watermark(99), ['4']);
  t.same(it.advance(100), [], 'its early timer went with the result on time');
  t.same(it.give(5), ['5']);
});

void t.test('E3: early results by records', async (t) => {
  const it = start(emitEarly({ everyRecords: 2, mode: 'accumulate' }));
  t.same(it.give(1, 2, 3, 4, 5), ['1 2', '1 2 3 4']);
  t.same(it.watermark(99), ['1 2 3 4 5']);
});

void t.test('E3: late results can be gathered by the clock, and are given before the cleanup', async (t) => {
  const late = { every: 50 } as const;
  const it = start(emitEarly({ everyRecords: 100, late, mode: 'accumulate' }), { latenessMs: 40 });
  it.give(1);
  t.same(it.watermark(99), ['1']);
  t.same(it.give(2, 3), []);
  t.same(it.advance(50), ['1 2 3']);
  t.same(it.give(4), []);
  t.same(it.watermark(138), []);
  t.same(it.watermark(139), ['1 2 3 4'], 'at the cleanup');
  t.same(it.advance(1_000), []);
});

void t.test('E3: early results of sessions that merge go on with what neither has shown', async (t) => {
  const it = start(emitEarly({ everyRecords: 3, mode: 'discard' }), { assigner: session(10) });
  t.same(it.give(0, 20), []);
  t.same(it.give(10), ['0 20 10']);
  t.same(it.give(12), []);
  t.same(it.watermark(100), ['12']);
});

void t.test('GS3: no trigger can keep a watermark or a poll from ending', async (t) => {
  let fired = 0;
  const restless = defineTrigger({
    name: 'restless',
    onRecord(_record, time, { timers }) {
      timers.atEventTime(time);
      timers.atProcessingTime(time);
      return 'continue';
    },
    onEventTime(time, { timers }) {
      fired++;
      timers.atEventTime(time);
      timers.atEventTime(time + 1);
      return 'continue';
    },
    onProcessingTime(time, { timers }) {
      fired++;
      timers.atProcessingTime(time);
      timers.atProcessingTime(time + 1);
      return 'continue';
    },
  });
  const it = start(restless, { assigner: global() });
  it.give(10);
  it.watermark(1e15);
  t.equal(fired, 1);
  it.watermark(1e15 + 1);
  t.equal(fired, 3, 'what it asked for comes with the next watermark');
  it.advance(0);
  t.equal(fired, 4);
  it.advance(0);
  t.equal(fired, 6);
  it.watermark(MAX_WATERMARK);
});

void t.test('in a time window a timer that a firing timer sets fires with the same watermark', async (t) => {
  const fired: number[] = [];
  const chain = defineTrigger({
    name: 'chain',
    onRecord(_record, time, { timers }) {
      timers.atEventTime(time);
      return 'continue';
    },
    onEventTime(time, { timers }) {
      fired.push(time);
      if (time < 50) timers.atEventTime(time + 20);
      return 'continue';
    },
  });
  const it = start(chain);
  it.give(10);
  it.watermark(60);
  t.same(fired, [10, 30, 50]);
});

void t.test('timers are deduplicated and can be deleted', async (t) => {
  const fired: string[] = [];
  const it = start(
    defineTrigger({
      name: 'timers',
      onRecord(_record, _time, { timers }) {
        for (const time of [20, 20, 30]) timers.atEventTime(time);
        for (const time of [1_020, 1_020, 1_030]) timers.atProcessingTime(time);
        timers.deleteEventTime(30);
        timers.deleteProcessingTime(1_030);
        timers.deleteProcessingTime(5);
        return 'continue';
      },
      onEventTime: (time) => (fired.push(`e${time}`), 'continue'),
      onProcessingTime: (time) => (fired.push(`p${time}`), 'continue'),
    }),
  );
  it.give(1);
  it.restore();
  it.watermark(50);
  it.advance(50);
  t.same(fired, ['e20', 'p1020']);
});

void t.test('a time that is none is an error of the operator', async (t) => {
  const it = start(
    defineTrigger({
      name: 'nowhen',
      onRecord(_record, _time, { timers }) {
        timers.atEventTime(Number.NaN);
        return 'continue';
      },
    }),
  );
  it.give(1);
  t.match(it.bench().errors, [{ code: 'MR_OPERATOR_FAILED', message: /timer at NaN/ }]);
});

void t.test('counts and periods are checked', async (t) => {
  const refused = (run: () => unknown, message: RegExp) =>
    t.throws(run, { code: 'MR_CONFIG_INVALID', message });
  refused(() => onCount(0), /onCount needs a whole number above 0, got 0/);
  refused(() => onCount(1.5), /got 1.5/);
  refused(() => countWindow(-1), /countWindow size/);
  refused(() => countWindow(2, 0), /countWindow slide/);
  refused(() => continuousEventTime(0), /continuousEventTime needs a period of at least 1 ms/);
  refused(() => continuousProcessingTime(0), /at least 1 ms/);
  refused(() => emitEarly({ everyRecords: 0, mode: 'discard' }), /everyRecords/);
  refused(() => emitEarly({ every: 0, on: 'event-time', mode: 'discard' }), /at least 1 ms/);
  refused(
    () => emitEarly({ every: 1, on: 'event-time', late: { every: 0 }, mode: 'discard' }),
    /emitEarly late/,
  );
});
