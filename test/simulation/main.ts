/**
 * Simulations from the command line:
 * node test/simulation/main.ts [--scenario workers] [--seeds 1000] [--from 1] [--workers 2] [--seed n] [--trace] [--plant <bug>]
 * node test/simulation/main.ts --planted-bugs [--seeds 1000]
 * Each seed runs every scenario, or the one that is named. `--seed` runs one seed and, with `--trace`, prints every event. `--workers`
 * shares the seeds out to processes. `--planted-bugs` puts in each known bug and looks for the first seed that finds it. Exit code 1
 * when something did not hold, or a bug was not found.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from './planted/planted-bugs.ts';
import type { PlantedBug } from './planted/planted-bug.ts';
import type { Scenario, SimReport } from './scenario.ts';
import { singleRunner } from './single-runner.ts';
import { workers } from './workers/workers.ts';

const SCENARIOS: readonly Scenario[] = [singleRunner, workers];
const FAILURES_MAX = 10;
const PROBLEMS_SHOWN = 6;
const PROGRESS_EVERY = 100;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    workers: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    plant: { type: 'string' },
    'planted-bugs': { type: 'boolean', default: false },
  },
});
const planted = PLANTED_BUGS.find(({ name }) => name === values.plant) ?? null;
const chosen = SCENARIOS.filter(({ name }) => values.scenario === undefined || values.scenario === name);
if (chosen.length === 0 || (values.plant !== undefined && planted === null)) {
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(', ');
  console.error(`Scenarios are ${names(SCENARIOS)}; planted bugs are ${names(PLANTED_BUGS)}.`);
  process.exit(2);
}
// What a run leaves unhandled would end a real process as well.
let unhandled: string | null = null;
process.on('unhandledRejection', (reason) => {
  unhandled ??= `a rejection was not handled: ${reason instanceof Error ? reason.stack : String(reason)}`;
});

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds ?? 100) : 1;
// Taken for each error, of which a run has hundreds; who replays a seed has them.
if (count > 1) Error.stackTraceLimit = 0;
const failed = values['planted-bugs']
  ? await findPlantedBugs(Number(values.seeds ?? 1_000))
  : Number(values.workers) > 1
    ? await runShared(Number(values.workers))
    : await runSeeds();
process.exitCode = failed === 0 ? 0 : 1;

async function runSeeds(): Promise<number> {
  const started = { ms: performance.now(), cpu: process.cpuUsage() };
  const sums = { events: 0, virtualMs: 0, runs: 0, failed: 0 };
  let seed = first;
  for (; seed < first + count && sums.failed < FAILURES_MAX; seed++) {
    for (const scenario of chosen) {
      const report = await runSeed(scenario, seed, planted);
      sums.runs++;
      sums.events += report.events;
      sums.virtualMs += report.virtualMs;
      if (report.problems.length > 0) sums.failed++;
      if (report.problems.length > 0 || count === 1) console.log(describe(scenario, report));
    }
    const done = seed - first + 1;
    if (done % PROGRESS_EVERY === 0) console.log(`${done} of ${count} seeds, ${sums.failed} runs failed`);
  }
  const ms = performance.now() - started.ms;
  const { user, system } = process.cpuUsage(started.cpu);
  const cpuMs = (user + system) / 1_000;
  const per = (sum: number) => Math.round(sum / sums.runs);
  console.log(
    `seeds ${first} to ${seed - 1} of ${chosen.map(({ name }) => name).join(' and ')} in ${(ms / 1_000).toFixed(1)} s (${(cpuMs / 1_000).toFixed(1)} s of CPU): ${per(cpuMs)} ms, ${per(sums.events)} events and ${per(sums.virtualMs)} virtual ms a run, ${sums.failed} of ${sums.runs} runs failed`,
  );
  return sums.failed;
}

async function runSeed(scenario: Scenario, seed: number, bug: PlantedBug | null): Promise<SimReport> {
  const onEvent = values.trace ? (line: string) => console.log(line) : undefined;
  unhandled = null;
  const report = await scenario.run(seed, { planted: bug, ...(onEvent && { onEvent }) });
  return unhandled === null ? report : { ...report, problems: [...report.problems, unhandled] };
}

/** Shares the seeds out in contiguous ranges; answers how many processes have found something. */
async function runShared(processes: number): Promise<number> {
  const each = Math.ceil(count / processes);
  const codes = Array.from({ length: processes }, async (_, i) => {
    const from = first + i * each;
    const seeds = Math.min(each, first + count - from);
    if (seeds <= 0) return 0;
    const args = [`--from=${from}`, `--seeds=${seeds}`];
    if (values.scenario !== undefined) args.push(`--scenario=${values.scenario}`);
    if (values.plant !== undefined) args.push(`--plant=${values.plant}`);
    const [code] = await once(fork(import.meta.filename, args), 'exit');
    return code === 0 ? 0 : 1;
  });
  return (await Promise.all(codes)).reduce<number>((sum, code) => sum + code, 0);
}

/** The first seed that finds each planted bug; answers how many were not found. */
async function findPlantedBugs(seedsMax: number): Promise<number> {
  let missed = 0;
  for (const bug of PLANTED_BUGS) {
    if (planted !== null && bug !== planted) continue;
    const found = await firstSeedThatFinds(bug, seedsMax);
    if (found === null) missed++;
    console.log(`${bug.name} (${bug.what}): ${found ?? `not found within ${seedsMax} seeds`}`);
  }
  return missed;
}

async function firstSeedThatFinds(bug: PlantedBug, seedsMax: number): Promise<string | null> {
  for (let seed = first; seed < first + seedsMax; seed++) {
    for (const scenario of chosen) {
      const { problems } = await runSeed(scenario, seed, bug);
      if (problems.length > 0) return `seed ${seed} of ${scenario.name}: ${problems[0]}`;
    }
  }
  return null;
}

function describe(scenario: Scenario, { seed, problems, trace, faults, notes }: SimReport): string {
  const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `  ${problem}`);
  const more = problems.length > PROBLEMS_SHOWN ? [`  and ${problems.length - PROBLEMS_SHOWN} more`] : [];
  const plant = planted === null ? '' : ` --plant ${planted.name}`;
  return [
    `seed ${seed} of ${scenario.name}: ${problems.length === 0 ? 'all holds' : 'FAILED'} (trace ${trace})`,
    ...shown,
    ...more,
    ...notes.map((note) => `  - ${note}`),
    ...faults.map((fault) => `  * ${JSON.stringify(fault)}`),
    `  replay: npm run sim -- --scenario ${scenario.name} --seed ${seed} --trace${plant}`,
  ].join('\n');
}
