import { statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { median } from '../median.ts';
import type { EntryForm } from './drain.ts';
import type { Outcome } from './outcome.ts';
import { t1Process, withFilledRedis } from './process.ts';
import { t1File } from './workload.ts';

export interface T1Options {
  readonly events: number;
  readonly devices: number;
  readonly runs: number;
  /** CPU time of uncounted runs before each that counts, ms. */
  readonly warmUpMs: number;
  readonly variants: readonly string[];
  /** File for the raw outcomes. */
  readonly json?: string;
}

const SEED = 42;
/** How events lie for the variants that read from Redis. */
const FORMS: Readonly<Record<string, EntryForm>> = { drain: 'frames', json: 'json' };

/** Runs T1 interleaved: every variant once per round, each in a process of its own that has warmed up. */
export async function runT1(options: T1Options): Promise<void> {
  const folder = join('benchmarks', 'results');
  const { path } = t1File({ events: options.events, devices: options.devices, seed: SEED }, folder);
  const bytes = statSync(path).size / options.events;
  print(
    `T1: ${options.events} events, ${options.devices} devices, ${bytes.toFixed(1)} bytes per event in frames of 1,000`,
  );
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const outcomes = new Map<string, Outcome[]>();
  for (let round = 1; round <= options.runs; round++) {
    for (const variant of options.variants) {
      const outcome = await runOnce(variant, options, folder);
      outcomes.set(variant, [...(outcomes.get(variant) ?? []), outcome]);
      print(`round ${round}  ${describe(outcome)}`);
    }
  }
  const digests = new Set([...outcomes.values()].flat().map((o) => `${o.rows} rows, digest ${o.digest}`));
  print('', ...table(outcomes), '', `Results: ${[...digests].join(' ≠ ')}`);
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(Object.fromEntries(outcomes), null, 2)}\n`);
  if (digests.size !== 1) throw new Error('The variants do not agree on the results.');
}

function runOnce(
  variant: string,
  { events, devices, warmUpMs }: T1Options,
  folder: string,
): Promise<Outcome> {
  const input = { events, devices, warmUpMs, folder };
  const form = FORMS[variant];
  if (form === undefined) return t1Process(variant, input);
  return withFilledRedis(form, input, (url) => t1Process(variant, input, url));
}

function table(outcomes: ReadonlyMap<string, readonly Outcome[]>): string[] {
  const byHand = outcomes.get('floor');
  const floor = byHand === undefined ? null : median(byHand.map(nsPerEvent));
  const rows = [...outcomes.values()].map((runs) => {
    const ns = runs.map(nsPerEvent);
    const mid = median(ns);
    const share = floor === null ? '' : (floor / mid).toFixed(2);
    return `| ${runs[0]?.variant} | ${mid.toFixed(0)} (${Math.min(...ns).toFixed(0)}–${Math.max(...ns).toFixed(0)}) | ${(1e3 / mid).toFixed(2)} | ${share} |`;
  });
  return [
    '| variant | CPU ns per event, median (min–max) | million events per CPU-second | of the hand-written loop |',
    '|---|---|---|---|',
    ...rows,
  ];
}

function describe(outcome: Outcome): string {
  const server =
    outcome.serverCpuMs === undefined
      ? ''
      : `, server ${((outcome.serverCpuMs * 1e6) / outcome.events).toFixed(0)} ns`;
  return `${outcome.variant}: ${nsPerEvent(outcome).toFixed(0)} ns CPU, ${((outcome.wallMs * 1e6) / outcome.events).toFixed(0)} ns wall per event${server}`;
}

const nsPerEvent = (outcome: Outcome): number => (outcome.cpuMs * 1e6) / outcome.events;

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
