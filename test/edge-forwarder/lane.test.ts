import t from 'tap';
import {
  confirmedBefore,
  type LaneState,
  markConfirmed,
  moveFront,
  newLane,
  takeBack,
} from '../../edge-forwarder/lane.ts';

const lane = (more: Partial<LaneState>): LaneState => ({ ...newLane(0), ...more });

await t.test('letting confirmed frames go leaves no hole', (t) => {
  const l = lane({ front: 5, gapFrom: 3, confirmedTo: 20, next: 30 });
  t.equal(moveFront(l, 15), 0);
  t.match(l, { gapFrom: 15, front: 15, confirmedTo: 20, next: 30, changed: true });
  t.end();
});

await t.test('dropping unconfirmed frames widens the hole from what the log has on', (t) => {
  const kept = lane({ front: 5, gapFrom: 5, confirmedTo: 10, next: 30 });
  t.equal(moveFront(kept, 15), 5, 'of ten records five were not confirmed');
  t.match(kept, { gapFrom: 10, front: 15, confirmedTo: 15 });
  t.equal(moveFront(kept, 20), 5);
  t.match(kept, { gapFrom: 10, front: 20, confirmedTo: 20 }, 'one hole, not two');
  t.end();
});

await t.test('confirmations are remembered by time, in a bounded number of marks', (t) => {
  const l = lane({ next: 10_000 });
  for (let ms = 0; ms < 6_400; ms++) {
    l.confirmedTo = ms + 2;
    markConfirmed(l, ms, 6_400);
  }
  t.ok(l.marks.length <= 65, `${l.marks.length} marks`);
  t.equal(confirmedBefore(l, -1), 1, 'nothing yet: the front');
  const to = confirmedBefore(l, 3_000);
  t.ok(to >= 3_001 && to <= 3_102, `${to} within one mark of 3001`);
  takeBack(l, 2_000);
  t.ok(l.marks.every((mark) => mark.to <= 2_000));
  t.equal(l.confirmedTo, 2_000);
  t.end();
});
