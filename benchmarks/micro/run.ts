import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median } from '../median.ts';
import type { Outcome } from '../t1/outcome.ts';
import type { Workload } from './workload.ts';
import { WORKLOADS } from './workloads.ts';

export interface MicroOptions {
  readonly workloads: readonly string[];
  readonly events: number;
  readonly keys: number;
  /** Counted runs of each variant. */
  readonly runs: number;
  /** File for the raw outcomes. */
  readonly json?: string;
}

/** One workload's outcomes, by variant. */
interface Measured {
  readonly name: string;
  readonly workload: Workload;
  readonly hand: Outcome[];
  readonly engine: Outcome[];
}

const VARIANTS = ['hand', 'engine'] as const;

/** Runs every workload by hand and by the engine once per round, the first round not counted. */
export async function runMicro(options: MicroOptions): Promise<void> {
  const { events, keys, runs } = options;
  const measured = options.workloads.map((name): Measured => {
    const workload = WORKLOADS[name];
    if (workload === undefined)
      throw new Error(`unknown workload '${name}'; one of ${Object.keys(WORKLOADS).join(', ')}`);
    return { name, workload, hand: [], engine: [] };
  });
  print(`micro: operators alone, ${events} events, ${keys} keys, batches of 1,000 in memory`);
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  for (let round = 0; round <= runs; round++)
    for (const it of measured)
      for (const variant of VARIANTS) {
        const outcome = await runOnce(it.name, variant, options);
        if (round > 0) it[variant].push(outcome);
        print(`${round === 0 ? 'warm-up' : `round ${round}`}  ${it.name}, ${describe(outcome)}`);
      }
  print('', ...table(measured), '', ...measured.map(({ name, workload }) => `- ${name}: ${workload.title}`));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(asJson(measured), null, 2)}\n`);
  for (const it of measured) verify(it);
}

async function runOnce(workload: string, variant: string, { events, keys }: MicroOptions): Promise<Outcome> {
  const once = join(import.meta.dirname, 'once.ts');
  const args = ['--expose-gc', once, workload, variant, String(events), String(keys)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as Outcome;
}

/** @throws when the variants' results differ */
function verify({ name, hand, engine }: Measured): void {
  const results = new Set([...hand, ...engine].map((o) => `${o.rows} results, digest ${o.digest}`));
  print(`Results of ${name}: ${[...results].join(' ≠ ')}`);
  if (results.size > 1) throw new Error(`The variants of ${name} do not agree on the results.`);
}

function table(measured: readonly Measured[]): string[] {
  const rows = measured.flatMap(({ name, hand, engine }) => {
    const floor = median(hand.map(nsPerEvent));
    return [row(name, 'hand-written loop', hand, floor), row(name, 'engine', engine, floor)];
  });
  return [
    '| workload | variant | CPU ns per event, median (min–max) | million events per CPU-second | of the hand-written loop |',
    '|---|---|---|---|---|',
    ...rows,
  ];
}

function row(name: string, variant: string, runs: readonly Outcome[], floor: number): string {
  const ns = runs.map(nsPerEvent);
  const mid = median(ns);
  const range = `${Math.min(...ns).toFixed(0)}–${Math.max(...ns).toFixed(0)}`;
  return `| ${name} | ${variant} | ${mid.toFixed(0)} (${range}) | ${(1e3 / mid).toFixed(2)} | ${(floor / mid).toFixed(2)} |`;
}

function asJson(measured: readonly Measured[]) {
  return Object.fromEntries(measured.map(({ name, hand, engine }) => [name, { hand, engine }]));
}

function describe(outcome: Outcome): string {
  const perEvent = (outcome.rows / outcome.events).toFixed(2);
  return `${outcome.variant}: ${nsPerEvent(outcome).toFixed(0)} ns CPU per event, ${perEvent} results per event`;
}

const nsPerEvent = (outcome: Outcome): number => (outcome.cpuMs * 1e6) / outcome.events;

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
