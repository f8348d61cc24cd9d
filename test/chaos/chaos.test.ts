import t from 'tap';
import { runChaos } from './chaos-run.ts';
import { SETUPS } from './chaos-servers.ts';
import { describeStep, FAULTS, planSteps, type Step } from './fault-plan.ts';
import { describeReport } from './report.ts';

t.setTimeout(240_000);

void t.test('a seed fixes the plan, in which every fault that a set-up knows comes at least once', (test) => {
  const plan = (seed: number, setup: (typeof SETUPS)[number]) => {
    const steps = planSteps({ seed, setup });
    return Array.from({ length: 30 }, () => steps.next().value as Step);
  };
  for (const setup of SETUPS) {
    test.strictSame(plan(7, setup).map(describeStep), plan(7, setup).map(describeStep));
    test.notSame(plan(7, setup), plan(8, setup));
    const kinds = new Set(plan(7, setup).flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    const known = Object.values(FAULTS).filter(({ setups }) => setups?.includes(setup) ?? true);
    test.equal(kinds.size, known.length, setup);
  }
  test.end();
});

void t.test(
  'E9, E10: worker kills, a fail-over and dropped connections lose and double nothing in any sink',
  async (test) => {
    const report = await runChaos({
      setup: 'sentinel',
      seed: 6,
      faultsMs: 120_000,
      stepsMax: 6,
      stepMs: [1_000, 3_000],
      only: [
        'worker-kill',
        'worker-kill-coordinator',
        'primary-kill',
        'connections-kill',
        'feeder-kill',
        'rescale',
      ],
      rate: 400,
      keys: 0,
      checkpointMs: 1_000,
      workers: 3,
      slots: 2,
      countEveryMs: 0,
      keepLogs: false,
      say: (line) => test.comment(line),
    });
    test.comment(describeReport(report));
    test.strictSame(report.problems, []);
    test.equal(report.steps.length, 6);
    for (const { what, skipped } of report.steps) test.ok(what.length > 0, `${skipped.join()}`);
    test.equal(report.verdicts.length, 6, 'all sinks were counted');
    test.ok(report.verdicts.every(({ place, found }) => found > 0 || place === 'dead letters'));
  },
);
