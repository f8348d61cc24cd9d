import t from 'tap';
import { MAX_WATERMARK, MIN_WATERMARK } from '#engine';
import { count, sum } from '#operators';
import { countWindow, global } from '../../../operators/window/global-windows.ts';
import { onCount, onEventTime } from '../../../operators/window/trigger.ts';
import { type Row, start } from '../../support/general-window-bench.ts';

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
