import t from 'tap';
import { session } from '../../../operators/window/session-assigner.ts';
import { defineTrigger, onCount, onEventTime } from '../../../operators/window/trigger.ts';
import { type Row, start } from '../../support/general-window-bench.ts';

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
