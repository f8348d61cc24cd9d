import t from 'tap';
import type { SlidingWindows } from '../../../operators/window/assigner.ts';
import { defineTrigger, onCount, onEventTime, purging } from '../../../operators/window/trigger.ts';
import { start } from '../../support/general-window-bench.ts';

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

void t.test('E2: waiting() names the earliest time that a trigger waits for', async (t) => {
  const it = start({ allowedLatenessMs: 50 });
  t.equal(it.operator().waiting?.(), null);
  it.give('a@11', 'b@1', 'b@2');
  t.same(it.operator().waiting?.(), { what: 'window', until: 9, count: 2 });
  it.watermark(9);
  t.same(it.operator().waiting?.(), { what: 'window', until: 19, count: 1 }, 'a cleanup gives nothing');
});
