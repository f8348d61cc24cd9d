import t from 'tap';
import { SparingLooks } from '../../../engine/host/sparing-looks.ts';
import { virtualClock } from '../../../operators/testing/index.ts';

void t.test(
  'what is cheap is looked at every time, what is dear at most two thousandths of the time',
  async (t) => {
    for (const [costMs, secondsOfLooks] of [
      [0, 400],
      [10, 20],
      [100, 2],
    ] as const) {
      const clock = virtualClock();
      const thing = { size: 0 };
      let looks = 0;
      const sparing = new SparingLooks(clock, (at: typeof thing) => {
        looks++;
        clock.advance(costMs);
        return at.size;
      });
      for (let i = 0; i < 400; i++) {
        thing.size = i;
        const seen = sparing.at(thing);
        t.ok(costMs === 0 ? seen === i : seen <= i);
        clock.advance(250);
      }
      t.equal(looks, secondsOfLooks, `${costMs} ms a look`);
    }
  },
);
