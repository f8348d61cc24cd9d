/**
 * The crash test from the command line: node test/crash/run-crash.ts [--short] [--seed n] [--events n] [--kills n] [--plant bug]
 * Exit code 1 when something did not hold.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { describeReport, FORMS, longForm, shortForm } from './crash-forms.ts';
import { runCrash } from './crash-run.ts';
import { PLANTED_BUGS } from './planted-bug.ts';

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    events: { type: 'string' },
    kills: { type: 'string' },
    plant: { type: 'string' },
  },
});
// The servers and processes of a run end with this one, but only when it ends by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const form = values.short ? 'short' : 'long';
const seed = Number(values.seed ?? randomInt(1_000_000));
const chosen = {
  seed,
  events: Number(values.events ?? FORMS[form].events),
  kills: Number(values.kills ?? FORMS[form].kills),
};
const plantedBug = PLANTED_BUGS.find((bug) => bug === values.plant) ?? null;
console.log(`seed ${seed}: ${chosen.events} events, ${chosen.kills} kills of the engine`);
const report = await runCrash({
  ...(values.short ? shortForm(chosen) : longForm(chosen)),
  plantedBug,
  onProgress: (line) => console.log(line),
});
console.log(`seed ${seed}\n${describeReport(report)}`);
process.exitCode = report.problems.length === 0 ? 0 : 1;
