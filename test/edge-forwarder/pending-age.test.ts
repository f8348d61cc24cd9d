import fc from 'fast-check';
import t from 'tap';
import type { Lane } from '../../edge-forwarder/lane.ts';
import { PendingAge } from '../../edge-forwarder/pending-age.ts';

const LOOK_MS = 1_000;
const lane = (partition: number, confirmedTo: number, next: number): Lane => ({
  partition,
  epoch: 1,
  gapFrom: 1,
  front: 1,
  confirmedTo,
  next,
});

await t.test(
  'the oldest pending record has waited at least so long, and not a look longer (E11)',
  async (t) => {
    const step = fc.record({ stored: fc.nat(5), confirmed: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, step), { maxLength: 40 }), (story) => {
        const age = new PendingAge();
        const lanes = [lane(0, 1, 1), lane(1, 1, 1)];
        /** Per lane and sequence, when it was stored. */
        const storedMs = [[0], [0]] as number[][];
        for (const [second, steps] of story.entries()) {
          const now = second * LOOK_MS;
          for (const [index, { stored, confirmed }] of steps.entries()) {
            const { next, confirmedTo } = lanes[index] as Lane;
            for (let i = 0; i < stored; i++) storedMs[index]?.push(now - LOOK_MS / 2);
            lanes[index] = lane(index, Math.min(next, confirmedTo + confirmed), next + stored);
          }
          age.look(lanes, now);
          const waiting = lanes.flatMap(({ partition, confirmedTo, next }) =>
            confirmedTo < next ? [now - (storedMs[partition]?.[confirmedTo] as number)] : [],
          );
          const told = age.oldestMs(lanes, now);
          const real = waiting.length === 0 ? null : Math.max(...waiting);
          if (real === null ? told !== null : told === null || told > real || told < real - LOOK_MS)
            throw new Error(`${told} ms, really ${real} ms`);
        }
      }),
    );
    t.pass();
  },
);

await t.test(
  'after a day the age is still told to a few per cent, whatever part of it was delivered',
  async (t) => {
    const age = new PendingAge();
    for (let second = 0; second < 100_000; second++) age.look([lane(0, 1, second + 2)], second * LOOK_MS);
    t.equal(
      age.oldestMs([lane(0, 1, 100_001)], 100_000 * LOOK_MS),
      100_000 * LOOK_MS,
      'the oldest look stays',
    );
    t.ok((age.oldestMs([lane(0, 50_000, 100_001)], 100_000 * LOOK_MS) ?? 0) > 47_000 * LOOK_MS);
  },
);
