import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nexmarkFile } from '../nexmark/event-file.ts';
import { flinkPeer } from '../peers/flink/run.ts';
import { framesOf } from '../t1/workload.ts';
import { nsPerEvent, type VersusOutcome, type VersusReport } from './outcome.ts';
import { describeComparison, describeVersus } from './report.ts';

export interface VersusOptions {
  /** `t1`, `t1-100k`, `t1-1m` (devices) and Nexmark's `q0` … */
  readonly workloads: readonly string[];
  /** `millrace`, `loop`, `flink`, `flink 2` (at parallelism 2). */
  readonly engines: readonly string[];
  readonly events: number;
  readonly runs: number;
  /** File for all runs. */
  readonly json?: string;
  /** File for the tables. */
  readonly report?: string;
}

const SEED = 42;
const NEXMARK_RATE = 10_000;
const FOLDER = join('benchmarks', 'results');
const DEVICES: Readonly<Record<string, number>> = { t1: 10_000, 't1-100k': 100_000, 't1-1m': 1_000_000 };

interface Input {
  readonly path: string;
  readonly what: string;
}

type Engine = (workload: string, input: Input, events: number) => Promise<VersusOutcome>;

/** Every workload on every engine, one after another and round after round, each in a process of its own; the first round is not counted. */
export async function runVersus(options: VersusOptions): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const { engines, skipped } = await openEngines(options.engines);
  const inputs = new Map(options.workloads.map((workload) => [workload, inputOf(workload, options.events)]));
  const outcomes: VersusOutcome[] = [];
  for (let round = 0; round <= options.runs; round++) {
    for (const [workload, input] of inputs) {
      for (const [name, engine] of engines) {
        if (name === 'loop' && !Object.hasOwn(DEVICES, workload)) continue;
        const outcome = { ...(await engine(workload, input, options.events)), workload, engine: name };
        if (round > 0) outcomes.push(outcome);
        const label = round === 0 ? 'warm-up' : `round ${round}`;
        say(`${label}  ${workload} ${name}: ${nsPerEvent(outcome).toFixed(0)} ns CPU per event`);
      }
    }
  }
  const report: VersusReport = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(2)}`,
    versions: { node: process.version },
    inputs: Object.fromEntries([...inputs].map(([workload, { what }]) => [workload, what])),
    outcomes,
    skipped,
  };
  const text = describeVersus(report);
  say(`\n${text}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.report !== undefined) writeFileSync(options.report, `${text}\n`);
  refuseDifferences(outcomes);
}

/** Two reports side by side, as ratios. */
export function compareVersus(base: string, now: string): void {
  const [before, after] = [base, now].map((file) => JSON.parse(readFileSync(file, 'utf8')) as VersusReport);
  say(describeComparison(before as VersusReport, after as VersusReport));
}

function inputOf(workload: string, events: number): Input {
  const devices = DEVICES[workload];
  if (devices !== undefined) {
    const { path } = framesOf({ events, devices, seed: SEED }, FOLDER);
    return { path, what: `${events} events of ${devices} devices, seed ${SEED}` };
  }
  const { path, sha256 } = nexmarkFile({ events, rate: NEXMARK_RATE, seed: SEED }, FOLDER);
  return {
    path,
    what: `${events} Nexmark events at ${NEXMARK_RATE}/s of event time, seed ${SEED}, SHA-256 ${sha256}`,
  };
}

async function openEngines(names: readonly string[]) {
  const engines = new Map<string, Engine>();
  const skipped: Record<string, string> = {};
  const flink = names.some((name) => name.startsWith('flink')) ? await flinkPeer() : null;
  for (const name of names) {
    if (name === 'millrace') engines.set(name, millrace);
    else if (name === 'loop') engines.set(name, (workload, _input, events) => t1('floor', workload, events));
    else if (flink !== null && 'skip' in flink) skipped['flink'] = flink.skip;
    else if (flink !== null && name.startsWith('flink')) {
      const parallelism = name === 'flink 2' ? 2 : 1;
      engines.set(name, async (workload, { path }, events) => {
        const warmup = Math.min(events, 1_000_000);
        const kind = Object.hasOwn(DEVICES, workload) ? 't1' : workload;
        const outcome = await flink.run(kind, path, { parallelism, checkpointMs: 1_000, warmup });
        return { ...outcome, workload, checksum: String(outcome.checksum) };
      });
    } else throw new Error(`There is no engine '${name}': use millrace, loop, flink, flink 2.`);
  }
  for (const [peer, why] of Object.entries(skipped)) say(`SKIPPED ${peer}: ${why}`);
  return { engines, skipped };
}

const millrace: Engine = (workload, _input, events) =>
  Object.hasOwn(DEVICES, workload)
    ? t1('engine', workload, events)
    : once('nexmark/once.ts', [workload, String(events), String(NEXMARK_RATE), String(SEED), FOLDER]);

async function t1(variant: string, workload: string, events: number): Promise<VersusOutcome> {
  const args = [variant, String(events), String(DEVICES[workload]), FOLDER];
  const { digest, ...outcome } = await once<VersusOutcome & { readonly digest: string }>('t1/once.ts', args);
  return { ...outcome, checksum: digest };
}

async function once<Outcome = VersusOutcome>(program: string, args: readonly string[]): Promise<Outcome> {
  const command = [join(import.meta.dirname, '..', program), ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1 << 20 });
  const outcome = JSON.parse(stdout) as Outcome & { readonly checksum?: number };
  return { ...outcome, ...(outcome.checksum === undefined ? {} : { checksum: `${outcome.checksum}` }) };
}

function refuseDifferences(outcomes: readonly VersusOutcome[]): void {
  for (const [workload, some] of Map.groupBy(outcomes, (outcome) => outcome.workload)) {
    const results = new Set(some.map(({ rows, checksum }) => `${rows} rows, ${checksum}`));
    if (results.size > 1)
      throw new Error(`The results of ${workload} differ: ${[...results].join(' and ')}.`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
