import t from 'tap';
import { ProcessingTimers } from '#engine';
import { virtualClock } from '../../../operators/testing/virtual-clock.ts';

function timersAt(startMs: number) {
  const clock = virtualClock(startMs);
  const wakes: number[] = [];
  const timers = new ProcessingTimers(clock, () => wakes.push(clock.now()));
  const due = () => {
    const taken: (readonly [number, number])[] = [];
    for (let it = timers.takeDue(); it !== null; it = timers.takeDue()) taken.push([it.slot, it.time]);
    return taken;
  };
  return { clock, wakes, timers, due };
}

void t.test('PT1 E6: timers wake the task when the earliest is due, and fire in time order', async (test) => {
  const { clock, wakes, timers, due } = timersAt(1_000);
  test.ok(timers.add(1, 1_500));
  test.ok(timers.add(2, 1_200));
  test.notOk(timers.add(2, 1_200), 'once per slot and time');
  test.equal(timers.next, 1_200);
  clock.advance(199);
  test.same([wakes, due()], [[], []]);
  clock.advance(1);
  test.same([wakes, due()], [[1_200], [[2, 1_200]]]);
  clock.advance(10_000);
  test.same([wakes, due(), timers.size, timers.next], [[1_200, 1_500], [[1, 1_500]], 0, null]);
});

void t.test('PT1 E6: what was due while nobody ran fires at once', async (test) => {
  const { clock, wakes, timers, due } = timersAt(10_000);
  timers.add(7, 4_000);
  test.same(due(), [[7, 4_000]]);
  timers.add(8, 5_000);
  clock.advance(0);
  test.same([wakes, due()], [[10_000], [[8, 5_000]]]);
});

void t.test('a deleted timer fires no more; a later one still does', async (test) => {
  const { clock, timers, due } = timersAt(0);
  timers.add(1, 100);
  timers.add(1, 200);
  test.ok(timers.delete(1, 100));
  test.notOk(timers.delete(1, 100));
  test.equal(timers.next, 200);
  clock.advance(150);
  test.same(due(), []);
  clock.advance(50);
  test.same(due(), [[1, 200]]);
});

void t.test('a timer of next year is not lost to the bounds of clock timers', async (test) => {
  const { clock, timers, wakes, due } = timersAt(0);
  const year = 365 * 86_400_000;
  timers.add(3, year);
  for (let step = 0; step < 365 * 24 && wakes.length < 365 * 24; step++) {
    clock.advance(3_600_000);
    if (clock.now() < year && due().length > 0) test.fail('too early');
  }
  test.same(due(), [[3, year]]);
});
