import fc from 'fast-check';
import t from 'tap';
import { TimerQueue } from '../../../engine/time/timer-queue.ts';
import { propertyRuns } from '../../support/property-runs.ts';

interface Step {
  readonly kind: 'add' | 'delete' | 'take';
  readonly slot: number;
  readonly time: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step['kind']>('add', 'add', 'add', 'delete', 'take'),
  slot: fc.nat(6),
  time: fc.integer({ min: -8, max: 12 }),
});

/** Registered timers in the order of registration. */
class Model {
  timers: { slot: number; time: number }[] = [];
  index(slot: number, time: number): number {
    return this.timers.findIndex((timer) => timer.slot === slot && timer.time === time);
  }
  takeDue(watermark: number): { slot: number; time: number } | null {
    const due = this.timers.filter((timer) => timer.time <= watermark);
    if (due.length === 0) return null;
    const earliest = Math.min(...due.map((timer) => timer.time));
    const taken = due.find((timer) => timer.time === earliest) as { slot: number; time: number };
    this.timers = this.timers.filter((timer) => timer !== taken);
    return taken;
  }
}

void t.test('TQ1 TQ2: equal to a list searched from the front, under any script', async (test) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (script) => {
      const queue = new TimerQueue();
      const model = new Model();
      for (const { kind, slot, time } of script) {
        const at = model.index(slot, time);
        if (kind === 'add') {
          mustEqual(queue.add(slot, time), at < 0);
          if (at < 0) model.timers.push({ slot, time });
        } else if (kind === 'delete') {
          mustEqual(queue.delete(slot, time), at >= 0);
          if (at >= 0) model.timers.splice(at, 1);
        } else {
          for (;;) {
            const expected = model.takeDue(time);
            mustEqual(JSON.stringify(queue.takeDue(time)), JSON.stringify(expected));
            if (expected === null) break;
          }
        }
        mustEqual(queue.size, model.timers.length);
      }
      const left: string[] = [];
      queue.forEach((slot, time) => left.push(`${slot}@${time}`));
      mustEqual(
        left.sort().join(),
        model.timers
          .map(({ slot, time }) => `${slot}@${time}`)
          .sort()
          .join(),
      );
    }),
    { numRuns: propertyRuns(1000) },
  );
  test.pass('1000 scripts');
});

void t.test('TE1 TE2: the timers of a slot are found by the slot, be they few or many', async (test) => {
  const at = fc.record({ slot: fc.nat(2), time: fc.nat(80), adds: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(at, { maxLength: 400, size: 'max' }),
      fc.array(at, { maxLength: 60 }),
      (first, then) => {
        const queue = new TimerQueue();
        const model = [0, 1, 2].map(() => new Set<number>());
        for (const { slot, time, adds } of [...first.map((it) => ({ ...it, adds: true })), ...then]) {
          const ofSlot = model[slot] as Set<number>;
          if (adds) mustEqual(queue.add(slot, time), !ofSlot.has(time));
          else mustEqual(queue.delete(slot, time), ofSlot.has(time));
          if (adds) ofSlot.add(time);
          else ofSlot.delete(time);
        }
        for (const [slot, expected] of model.entries()) {
          const found: number[] = [];
          queue.forEachOf(slot, (time) => found.push(time));
          mustEqual(found.sort((a, b) => a - b).join(), [...expected].sort((a, b) => a - b).join());
        }
      },
    ),
    { numRuns: propertyRuns(200) },
  );
  test.pass();
});

void t.test('timers that are set and deleted over and over leave nothing behind', async (test) => {
  const queue = new TimerQueue();
  queue.add(0, 5);
  for (let time = 100_000; time > 10; time--) {
    queue.add(1, time);
    queue.delete(1, time);
  }
  test.equal(queue.size, 1);
  test.same(queue.takeDue(1e6), { slot: 0, time: 5 });
  test.equal(queue.takeDue(1e6), null);
});

void t.test('a timer added while taking, for a time already due, is taken too', async (test) => {
  const queue = new TimerQueue();
  queue.add(1, 10);
  test.same(queue.takeDue(20), { slot: 1, time: 10 });
  queue.add(2, 5);
  queue.add(1, 10);
  test.same(queue.takeDue(20), { slot: 2, time: 5 });
  test.same(queue.takeDue(20), { slot: 1, time: 10 });
  test.equal(queue.takeDue(20), null);
});

function mustEqual(got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`got ${String(got)}, expected ${String(expected)}`);
}
