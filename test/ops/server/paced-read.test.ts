import t from 'tap';
import { PacedRead } from '../../../ops/server/paced-read.ts';
import { manualClock } from '../support/manual-clock.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

await t.test('reads one at a time and no more often than allowed (PR1)', async (t) => {
  const clock = manualClock();
  const open: ((value: number) => void)[] = [];
  const reads = new PacedRead({
    clock,
    everyMs: 1_000,
    read: () => new Promise<number>((resolve) => open.push(resolve)),
  });
  t.equal(reads.latest(), null, 'nothing is known yet');
  clock.advance(5_000);
  t.equal(reads.latest(), null);
  t.equal(open.length, 1, 'the first read is still under way');
  open[0]?.(7);
  await settle();
  t.equal(reads.latest(), 7);
  t.equal(open.length, 2, 'the next one is due');
  open[1]?.(8);
  await settle();
  clock.advance(999);
  t.equal(reads.latest(), 8);
  t.equal(open.length, 2, 'not due again before a second has passed since its start');
  clock.advance(1);
  reads.latest();
  t.equal(open.length, 3);
});

await t.test('a read that fails keeps the value and is tried again', async (t) => {
  const clock = manualClock();
  let reads = 0;
  const paced = new PacedRead({
    clock,
    everyMs: 1_000,
    read: async () => {
      reads += 1;
      if (reads === 2) throw new Error('away');
      return reads;
    },
  });
  paced.latest();
  await settle();
  t.equal(paced.latest(), 1);
  clock.advance(1_000);
  paced.latest();
  await settle();
  t.equal(paced.latest(), 1, 'the second read failed');
  clock.advance(1_000);
  paced.latest();
  await settle();
  t.equal(paced.latest(), 3);
});
