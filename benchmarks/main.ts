import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCheckpoint } from './checkpoint/run.ts';
import { COST_HELP, runCost } from './cost/run.ts';
import { FOOTPRINT_HELP, runFootprint } from './footprint/run.ts';
import { HTTP_HELP, runHttp } from './http/run.ts';
import { LATENCY_HELP, runLatency } from './latency/run.ts';
import { runMicro } from './micro/run.ts';
import type { Dataflow } from './riot/engine.ts';
import { RIOT_HELP, runRiot } from './riot/run.ts';
import { runRescale } from './rescale/run.ts';
import { runT1 } from './t1/run.ts';
import { runTruth, TRUTH_WORKLOADS } from './truth/run.ts';
import { plotFile } from './versus/plot.ts';
import { compareVersus, runVersus } from './versus/run.ts';
import { WARM_UP_CPU_MS } from './warm-up.ts';
import { runWorkers, WORKERS_JOBS, type WorkersJob } from './workers/run.ts';

const HELP = `Usage: npm run bench -- <command> [options]

Runs workloads in every variant, interleaved, each run in a process of its own, and compares CPU time per event. A run whose
results differ from the others' fails.

  versus                workloads on Millrace and on other engines that read the same bytes, from memory or from Redis
    --workloads <list>  of t1, t1-100k, t1-1m (devices), t1-functions, t1-process, t1-drain, t1-json (both from Redis), and
                        Nexmark's q0 to q22 without q10; default t1, t1-drain, t1-json and Nexmark's core ten
    --engines <list>    of millrace, loop, flink, flink-best, at parallelism 2 'flink 2', 'flink-best 2', and renoir,
                        bytewax, hazelcast, kafka, kafka-best (t1-drain only, from a broker); default the first four
    --events <n>        default 2000000
    --warm-up-ms <n>    CPU time that every process first spends on runs that do not count, default 10000
    --report <file>     also writes the tables there
    --plots <folder>    draws a plot per workload there, which the tables link

  truth                 every result row of Millrace beside those of a plain loop and of Flink
    --workloads <list>  of q0 to q22 without q10; default all
    --events <n>        default 100000
    --rate <n>          events per second of event time, default 2000

  compare <a> <b>       two files that versus wrote with --json, as ratios

  plot <file>           a plot per workload of a file that versus or riot wrote with --json
    --to <folder>       default benchmarks/plots

${RIOT_HELP}
  t1                    10 s windows per device: count and average, minimum, maximum of four fields
    --events <n>        default 10000000
    --devices <n>       default 10000
    --warm-up-ms <n>    as with versus
    --variants <list>   of floor, engine, functions, process, interpreted, drain, json; default the first three and drain

  micro                 one operator on one core, fed from memory, beside the same query written by hand
    --workloads <list>  of session, sliding, sliding-dense, process, interval-join, top-n; default all
    --events <n>        default 5000000
    --keys <n>          default 10000

  checkpoint            snapshots of one operator while it takes records: how long these wait, and the restore
    --workloads <list>  of windows, sketches, sessions, process; default all
    --keys <n>          default 1000000

  rescale               a job with much state rescaled 1 → 4 → 2 on two workers while loaded, and forked at 3
    --keys <n>          default 1000000

  workers               the device telemetry job on one slot, two threads and two workers
    --events <n>        default 2000000
    --job <which>       all, or windows: without registry and lake; default all

${LATENCY_HELP}
${HTTP_HELP}
${FOOTPRINT_HELP}
${COST_HELP}
  --runs <n>            counted runs of each variant, default 5 where nothing else is said
  --json <file>         also writes every run there
  --help
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string' },
    devices: { type: 'string' },
    keys: { type: 'string' },
    rate: { type: 'string' },
    seconds: { type: 'string' },
    'warm-up-ms': { type: 'string' },
    parallelism: { type: 'string' },
    runs: { type: 'string' },
    variants: { type: 'string' },
    job: { type: 'string', default: 'all' },
    workloads: { type: 'string' },
    engines: { type: 'string' },
    json: { type: 'string' },
    report: { type: 'string' },
    plots: { type: 'string' },
    to: { type: 'string' },
    units: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const NEXMARK = 'q0,q1,q2,q3,q4,q5,q7,q8,q11,q18';

class UsageError extends Error {}

function number(
  name: 'events' | 'devices' | 'keys' | 'rate' | 'seconds' | 'parallelism' | 'runs' | 'warm-up-ms',
  otherwise: number,
) {
  const n = Number(values[name] ?? otherwise);
  if (!Number.isSafeInteger(n) || n < 1) throw new UsageError(`--${name} must be a whole number from 1.`);
  return n;
}

const list = (name: 'variants' | 'workloads' | 'engines', otherwise: string) =>
  (values[name] ?? otherwise).split(',');
const runs = () => number('runs', 5);
const warmUpMs = () => number('warm-up-ms', WARM_UP_CPU_MS);

function workersJob(name: string): WorkersJob {
  if (Object.hasOwn(WORKERS_JOBS, name)) return name as WorkersJob;
  throw new UsageError(`--job must be one of ${Object.keys(WORKERS_JOBS).join(', ')}.`);
}

const json = values.json === undefined ? {} : { json: values.json };
const files = {
  ...json,
  ...(values.report === undefined ? {} : { report: values.report }),
  ...(values.plots === undefined ? {} : { plots: values.plots }),
};

function dataflows(name: string | undefined): readonly Dataflow[] {
  if (name === undefined) return ['etl', 'stats'];
  if (name === 'etl' || name === 'stats') return [name];
  throw new UsageError(`There is no dataflow '${name}'.`);
}

const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  versus: () =>
    runVersus({
      workloads: list('workloads', `t1,t1-drain,t1-json,${NEXMARK}`),
      engines: list('engines', 'millrace,loop,flink,flink-best'),
      events: number('events', 2_000_000),
      runs: runs(),
      warmUpMs: warmUpMs(),
      ...files,
    }),
  truth: () =>
    runTruth({
      workloads: list('workloads', TRUTH_WORKLOADS.join(',')),
      events: number('events', 100_000),
      rate: number('rate', 2_000),
    }),
  async compare() {
    const [, base, now] = positionals;
    if (base === undefined || now === undefined) throw new UsageError('Give two files.');
    compareVersus(base, now);
  },
  async plot() {
    const [, file] = positionals;
    if (file === undefined) throw new UsageError('Give a file.');
    const plots = plotFile(file, values.to ?? join('benchmarks', 'plots'));
    process.stdout.write(plots.map(({ path }) => `${path}\n`).join(''));
  },
  riot: () =>
    runRiot({
      dataflows: dataflows(positionals[1]),
      events: number('events', 100_000),
      runs: runs(),
      ...files,
    }),
  t1: () =>
    runT1({
      events: number('events', 10_000_000),
      devices: number('devices', 10_000),
      runs: runs(),
      warmUpMs: warmUpMs(),
      variants: list('variants', 'floor,engine,functions,drain'),
      ...json,
    }),
  micro: () =>
    runMicro({
      events: number('events', 5_000_000),
      keys: number('keys', 10_000),
      runs: runs(),
      workloads: list('workloads', 'session,sliding,sliding-dense,process,interval-join,top-n'),
      ...json,
    }),
  checkpoint: () =>
    runCheckpoint({
      keys: number('keys', 1_000_000),
      runs: runs(),
      workloads: list('workloads', 'windows,sketches,sessions,process'),
      ...json,
    }),
  rescale: () => runRescale({ keys: number('keys', 1_000_000), ...json }),
  workers: () =>
    runWorkers({ events: number('events', 2_000_000), job: workersJob(values.job), runs: runs(), ...json }),
  latency: () =>
    runLatency({
      rate: number('rate', 20_000),
      seconds: number('seconds', 60),
      parallelism: number('parallelism', 1),
      ...json,
    }),
  http: () => runHttp({ seconds: number('seconds', 10), runs: number('runs', 3), ...json }),
  async cost() {
    runCost({ units: values.units ?? join('benchmarks', 'cost', 'units.json') });
  },
  footprint: () => runFootprint({ runs: number('runs', 7), events: number('events', 1_000_000), ...json }),
};

const [command = ''] = positionals;
try {
  if (values.help) process.stdout.write(HELP);
  else if (Object.hasOwn(COMMANDS, command)) await COMMANDS[command]?.();
  else throw new UsageError(`There is no benchmark '${command}'.`);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
