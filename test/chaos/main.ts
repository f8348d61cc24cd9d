/**
 * `node test/chaos/main.ts [--minutes 20] [--setup sentinel|cluster|disk|process|all] [--seed n] …`: real workers, feeders and servers, and
 * faults from a seed. Exit code 0 when nothing was lost, doubled or wrong and the job has always gone on. `--plan` prints what would be
 * done. A seed fixes the plan and the input, not the instant at which the machine does what.
 */
import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos-run.ts';
import { SETUPS, type SetupName } from './chaos-servers.ts';
import { describeStep, planSteps, type Step } from './fault-plan.ts';
import { describeReport, describeTotals, recoveryRows } from './report.ts';

/** Of the minutes of a run over all set-ups. */
const SHARES: Readonly<Record<SetupName, number>> = {
  sentinel: 0.4,
  cluster: 0.3,
  disk: 0.15,
  process: 0.15,
};
const PLANNED_STEPS = 40;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    setup: { type: 'string', default: 'all' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    rate: { type: 'string', default: '4000' },
    keys: { type: 'string', default: '0' },
    'checkpoint-ms': { type: 'string', default: '1000' },
    workers: { type: 'string', default: '3' },
    slots: { type: 'string', default: '2' },
    steps: { type: 'string' },
    only: { type: 'string' },
    'count-every': { type: 'string', default: '5' },
    report: { type: 'string' },
    'keep-logs': { type: 'boolean', default: false },
    plan: { type: 'boolean', default: false },
  },
});

setMaxListeners(64);
const say = (line: string) => process.stderr.write(`${line}\n`);
const setups = SETUPS.filter((name) => values.setup === 'all' || values.setup === name);
if (setups.length === 0) {
  say(`There is no set-up '${values.setup}': use ${SETUPS.join(', ')} or all.`);
  process.exit(2);
}
const seed = Number(values.seed);
const only = values.only?.split(',');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const reports = [];
for (const setup of setups) {
  if (values.plan) {
    say(`set-up ${setup}, seed ${seed}`);
    const steps = planSteps({ seed, setup, only });
    for (let i = 0; i < PLANNED_STEPS; i++) say(`  ${describeStep(steps.next().value as Step)}`);
    continue;
  }
  say(`set-up ${setup}: node test/chaos/main.ts --setup ${setup} --seed ${seed}`);
  const report = await runChaos({
    setup,
    seed,
    faultsMs: Number(values.minutes) * 60_000 * (setups.length === 1 ? 1 : SHARES[setup]),
    ...(values.steps === undefined ? {} : { stepsMax: Number(values.steps) }),
    ...(only === undefined ? {} : { only }),
    rate: Number(values.rate),
    keys: Number(values.keys),
    checkpointMs: Number(values['checkpoint-ms']),
    workers: Number(values.workers),
    slots: Number(values.slots),
    countEveryMs: Number(values['count-every']) * 60_000,
    keepLogs: values['keep-logs'],
    say,
  });
  reports.push(report);
  process.stdout.write(`${describeReport(report)}\n\n`);
}
if (reports.length > 1) process.stdout.write(`${describeTotals(reports)}\n`);
if (values.report !== undefined) {
  const all = reports.map((report) => ({ ...report, recovery: recoveryRows(report.steps) }));
  writeFileSync(values.report, JSON.stringify(all, null, 2));
}
process.exit(reports.every(({ problems }) => problems.length === 0) ? 0 : 1);
