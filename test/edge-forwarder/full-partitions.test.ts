import t from 'tap';
import { FullPartitions } from '../../edge-forwarder/full-partitions.ts';
import { virtualClock } from '../../operators/testing/index.ts';

await t.test(
  'FP1: a partition is full until it takes all that is offered; time is that with any full one (E11)',
  async (t) => {
    const clock = virtualClock(1_000_000);
    const full = new FullPartitions(clock);
    t.same([full.current, full.totalMs], [null, 0]);
    full.recovered(3);
    full.refused(3);
    clock.advance(500);
    full.refused(1);
    full.refused(3);
    t.same(full.current, { since: 1_000_000, partitions: [1, 3] });
    full.recovered(3);
    clock.advance(500);
    t.same(full.current, { since: 1_000_000, partitions: [1] }, 'there has always been one');
    t.equal(full.totalMs, 1_000);
    full.recovered(1);
    clock.advance(9_000);
    t.same([full.current, full.totalMs], [null, 1_000]);
    full.refused(2);
    clock.advance(50);
    t.same(full.current?.since, 1_010_000);
    full.clear();
    full.clear();
    t.same([full.current, full.totalMs], [null, 1_050]);
  },
);
