/**
 * Simulations from the command line:
 * node test/simulation/main.ts [--scenario single-runner] [--seeds 1000] [--from 1] [--seed n] [--trace] [--plant ack-before-durable]
 * `--seed` runs one seed and, with `--trace`, prints every event. Exit code 1 when something did not hold.
 */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS, type Scenario, type SimReport } from './scenario.ts';
import { singleRunner } from './single-runner.ts';
import { workers } from './workers/workers.ts';

const SCENARIOS: readonly Scenario[] = [singleRunner, workers];
const FAILURES_MAX = 10;
const PROBLEMS_SHOWN = 6;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    plant: { type: 'string' },
  },
});
const planted = PLANTED_BUGS.find((bug) => bug === values.plant) ?? null;
const chosen = SCENARIOS.filter(({ name }) => values.scenario === undefined || values.scenario === name);
if (chosen.length === 0 || (values.plant !== undefined && planted === null)) {
  console.error(
    `Scenarios are ${SCENARIOS.map(({ name }) => name).join(', ')}; planted bugs are ${PLANTED_BUGS.join(', ')}.`,
  );
  process.exit(2);
}

let failed = 0;
for (const scenario of chosen) failed += await runSeeds(scenario);
process.exitCode = failed === 0 ? 0 : 1;

async function runSeeds(scenario: Scenario): Promise<number> {
  const first = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  const sums = { events: 0, virtualMs: 0, runs: 0, failed: 0 };
  for (let seed = first; seed < first + count && sums.failed < FAILURES_MAX; seed++) {
    const onEvent = values.trace ? (line: string) => console.log(line) : undefined;
    const report = await scenario.run(seed, { planted, ...(onEvent && { onEvent }) });
    sums.runs++;
    sums.events += report.events;
    sums.virtualMs += report.virtualMs;
    if (report.problems.length > 0) sums.failed++;
    if (report.problems.length > 0 || count === 1) console.log(describe(scenario, report));
    if (sums.runs % 100 === 0) console.log(`${scenario.name}: ${sums.runs} seeds, ${sums.failed} failed`);
  }
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(startedCpu);
  const cpuMs = (user + system) / 1_000;
  console.log(
    `${scenario.name}: ${sums.runs} seeds in ${(ms / 1_000).toFixed(1)} s (${(cpuMs / 1_000).toFixed(1)} s of CPU): ${(cpuMs / sums.runs).toFixed(0)} ms and ${Math.round(sums.events / sums.runs)} events a seed, ${((cpuMs * 1_000) / sums.events).toFixed(1)} µs an event, ${Math.round(sums.virtualMs / ms)} times as fast as time, ${sums.failed} failed`,
  );
  return sums.failed;
}

function describe(scenario: Scenario, { seed, problems, trace, faults, notes }: SimReport): string {
  const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `  ${problem}`);
  const more = problems.length > PROBLEMS_SHOWN ? [`  and ${problems.length - PROBLEMS_SHOWN} more`] : [];
  const plant = planted === null ? '' : ` --plant ${planted}`;
  return [
    `seed ${seed}: ${problems.length === 0 ? 'all holds' : 'FAILED'} (trace ${trace})`,
    ...shown,
    ...more,
    ...notes.map((note) => `  - ${note}`),
    ...faults.map((fault) => `  * ${JSON.stringify(fault)}`),
    `  replay: npm run sim -- --scenario ${scenario.name} --seed ${seed} --trace${plant}`,
  ].join('\n');
}
