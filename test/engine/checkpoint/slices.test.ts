import t from 'tap';
import { type Clock, systemClock } from '#engine';
import { Slices } from '../../../engine/checkpoint/slices.ts';

/** Time that passes while somebody works, and turns that come when they are called. */
class Turns {
  #now = 0;
  #waiting: (() => void)[] = [];
  readonly clock: Clock = {
    ...systemClock,
    monotonic: () => this.#now,
    yieldTurn: () => new Promise((resolve) => this.#waiting.push(resolve)),
  };

  work(ms: number): void {
    this.#now += ms;
  }

  async next(): Promise<void> {
    for (const resume of this.#waiting.splice(0)) resume();
    await new Promise(setImmediate);
  }
}

void t.test(
  'SL1: all long work together gets one slice per turn, and all of it comes to its end',
  async (test) => {
    const turns = new Turns();
    const slices = new Slices(turns.clock);
    let workedMs = 0;
    const run = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        while (slices.isOver) await slices.next();
        turns.work(0.5);
        workedMs += 0.5;
      }
    };
    let ended = 0;
    for (const steps of [9, 40, 1]) void run(steps).then(() => ended++);
    test.equal(workedMs, 0, 'nothing in the turn that asks');
    let count = 0;
    while (ended < 3 && count++ < 100) {
      const before = workedMs;
      await turns.next();
      turns.work(1);
      test.ok(workedMs - before <= 2, `${workedMs - before} ms in a turn`);
    }
    test.equal(workedMs, 25);
  },
);
