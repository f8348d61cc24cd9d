import t from 'tap';
import type { Fault } from '../fault-plan.ts';
import { workers } from './workers.ts';

t.setTimeout(60_000);
const SEEDS = 5;

void t.test('E10: a job on several workers survives what the seeds do to it', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { problems, faults } = await workers.run(seed);
    t.same(problems.slice(0, 3), [], `seed ${seed}, ${faults.length} faults`);
  }
});

void t.test('SK1 a seed of several workers gives one trace', async (t) => {
  const [one, again] = [await workers.run(3), await workers.run(3)];
  t.equal(again.trace, one.trace);
  t.equal(again.events, one.events);
});

void t.test(
  'JC5 a job that a request has stopped is not begun once more before everybody knows',
  async (t) => {
    for (const seed of [1, 2]) {
      const errands = [{ atMs: 3_000, kind: 'pause', forMs: 2_000 }] as const;
      const { problems, notes } = await workers.run(seed, { faults: [], errands });
      t.same(problems, []);
      t.ok(notes.includes('generations 1, 2'), notes.join('; '));
    }
  },
);

void t.test('CW3 hosts end whose coordinator died while it stopped their job', async (t) => {
  const faults: readonly Fault[] = [{ atMs: 3_700, kind: 'kill-at', point: 'checkpoint:published', hit: 1 }];
  const errands = [{ atMs: 3_900, kind: 'stop', forMs: 8_000 }] as const;
  for (const seed of [1, 3]) {
    const { problems } = await workers.run(seed, { faults, errands });
    t.same(problems, [], `seed ${seed}`);
  }
});
