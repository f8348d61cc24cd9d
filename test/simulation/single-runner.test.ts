import t from 'tap';
import type { Fault } from './fault-plan.ts';
import { ackBeforeDurable } from './planted/store-bugs.ts';
import { singleRunner } from './single-runner.ts';

const SEEDS = 20;

void t.test('a job survives what twenty seeds do to it, each record counted exactly once', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { problems, faults } = await singleRunner.run(seed);
    t.same(problems.slice(0, 3), [], `seed ${seed}, ${faults.length} faults`);
  }
});

void t.test('SK1 a seed of a whole job gives one trace', async (t) => {
  const [one, again, other] = [
    await singleRunner.run(3),
    await singleRunner.run(3),
    await singleRunner.run(4),
  ];
  t.equal(again.trace, one.trace);
  t.equal(again.events, one.events);
  t.not(other.trace, one.trace);
});

void t.test('a checkpoint store that calls writes durable before they are is found out', async (t) => {
  const faults: readonly Fault[] = [
    { atMs: 2_500, kind: 'replica-lag', forMs: 3_000 },
    { atMs: 4_500, kind: 'fail-over', lagMs: 0, forMs: 200, isDemoted: false },
  ];
  const options = { faults, durability: 'replicated' } as const;
  const { problems } = await singleRunner.run(1, { ...options, planted: ackBeforeDurable });
  t.match(problems[0], /MR_SINK_AHEAD/);
  t.same((await singleRunner.run(1, options)).problems, [], 'without the bug the same faults do no harm');
});
