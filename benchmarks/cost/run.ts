import { type Fleet, type Load, planFleet, type Prices, UTILISATION } from './fleet.ts';
import { type Incident, simulateFleet } from './fleet-simulation.ts';
import { readUnitCosts, type UnitCosts } from './unit-costs.ts';

export interface CostOptions {
  /** File of unit costs. */
  readonly units: string;
  /** Default: standard output. */
  readonly print?: (line: string) => void;
}

export const COST_HELP = `  cost                  what loads cost on rented machines, and what a fleet for 10 M events/s does when parts of it fail, reckoned
                        from measured unit costs
    --units <file>      default benchmarks/cost/units.json
`;

/** An assumption, to be replaced by one's own: a virtual CPU with 4 GiB, and memory beyond. */
const PRICES: Prices = { cpuHour: 0.05, memoryHour: 0.006 };

const WEEK_SECONDS = 7 * 86_400;
const BASE = { keys: 100_000, retentionHours: 1, checkpointSeconds: 5 };
const LOADS: Readonly<Record<string, Load>> = {
  '1 G events a week, evenly': {
    ...BASE,
    eventsPerSecond: 1e9 / WEEK_SECONDS,
    averagePerSecond: 1e9 / WEEK_SECONDS,
  },
  '50 k/s sustained': { ...BASE, eventsPerSecond: 50_000, averagePerSecond: 50_000 },
  '50 k/s with bursts of 100 k/s': { ...BASE, eventsPerSecond: 100_000, averagePerSecond: 50_000 },
  '1 M/s': { ...BASE, keys: 1_000_000, eventsPerSecond: 1e6, averagePerSecond: 1e6 },
  '10 M/s': { ...BASE, keys: 10_000_000, eventsPerSecond: 1e7, averagePerSecond: 1e7 },
};
const LARGE = '10 M/s';
const SECONDS = 900;
const CORES_PER_WORKER = 8;
const INCIDENTS: Readonly<Record<string, Incident>> = {
  'a worker of 8 cores is killed, a new one comes after 60 s': {
    kind: 'worker-lost',
    at: 100,
    workerCores: CORES_PER_WORKER,
    replacedAfter: 60,
  },
  'a primary is lost': { kind: 'primary-lost', at: 100 },
  'half as much again for five minutes': { kind: 'burst', at: 100, seconds: 300, factor: 1.5 },
  'twice as much for five minutes': { kind: 'burst', at: 100, seconds: 300, factor: 2 },
};

/** Prints the tables of docs/cost.md and docs/scale.md. */
export function runCost(options: CostOptions): void {
  const print = options.print ?? ((line: string) => process.stdout.write(`${line}\n`));
  const { costs, origins } = readUnitCosts(options.units);
  print('| unit cost | value | measured by |\n|---|---|---|');
  for (const [name, value] of Object.entries(costs))
    print(`| ${name} | ${value} | ${origins[name as keyof UnitCosts]} |`);
  print(`\nA core is used to ${UTILISATION * 100} %. $ per virtual CPU and hour: ${PRICES.cpuHour}.\n`);
  print('| load | worker cores | shards | log GiB | state GiB | $ per hour | $ per million events |');
  print('|---|---|---|---|---|---|---|');
  for (const [name, load] of Object.entries(LOADS)) print(loadRow(name, planFleet(load, costs, PRICES)));
  const load = LOADS[LARGE] as Load;
  const fleet = planFleet(load, costs, PRICES);
  print(`\n${LARGE}: what each limit comes to\n\n${limits(fleet)}`);
  print('\n| incident | highest lag, s | caught up after, s |\n|---|---|---|');
  for (const [name, incident] of Object.entries(INCIDENTS)) {
    const run = simulateFleet({ load, fleet, units: costs, seconds: SECONDS }, incident);
    const after = run.caughtUpAfter === null ? 'not within the run' : run.caughtUpAfter.toFixed(1);
    print(`| ${name} | ${run.lagMax.toFixed(1)} | ${after} |`);
  }
}

function loadRow(name: string, fleet: Fleet): string {
  const { workerCores, shards, logGiB, stateGiB, dollarsPerHour, dollarsPerMillion } = fleet;
  return `| ${name} | ${workerCores} | ${shards} | ${logGiB.toFixed(2)} | ${stateGiB.toFixed(2)} | ${dollarsPerHour.toFixed(2)} | ${dollarsPerMillion.toFixed(5)} |`;
}

function limits(fleet: Fleet): string {
  return [
    '| where | how much |',
    '|---|---|',
    `| network of a shard, in, out and to its replica | ${(fleet.shardBytesPerSecond / 1e6).toFixed(1)} MB/s |`,
    `| manifest | ${(fleet.manifestBytes / 1024).toFixed(0)} KiB |`,
    `| acknowledgements to the coordinator | ${fleet.acknowledgementsPerSecond.toFixed(1)} a second |`,
    `| lake | ${(fleet.lakeGbPerDay / 1000).toFixed(1)} TB a day |`,
  ].join('\n');
}
