import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runPlanned, runQuery } from '../nexmark/engine.ts';
import { nexmarkFile } from '../nexmark/event-file.ts';
import { eventsOf, expectedLines } from '../nexmark/oracle.ts';
import { QUERY_NAMES } from '../nexmark/queries.ts';
import { type FlinkPeer, flinkPeer } from '../peers/flink/run.ts';
import { firstDifference } from './difference.ts';
import { EdgeEvent, edgeFile } from './edge-events.ts';
import { edges } from './edges.ts';

export interface TruthOptions {
  /** `edges` and Nexmark's `q0` … */
  readonly workloads: readonly string[];
  readonly events: number;
  /** Events per second of event time. */
  readonly rate: number;
}

export const TRUTH_WORKLOADS: readonly string[] = ['edges', ...QUERY_NAMES];

const SEED = 42;
const FOLDER = join('benchmarks', 'results');
const FORMS = ['ordinary', 'best'] as const;

const EDGE_EVENTS = 5_000;

/** The lines of a workload's results. */
interface Results {
  readonly path: string;
  readonly millrace: readonly string[];
  /** What a plain loop gives; of edges, where Flink alone decides, Millrace's operator for windows with any trigger. */
  readonly expected: readonly string[];
}

/** Every result row of Millrace beside those of a plain loop and of both forms of Flink, as text. @throws where any row differs */
export async function runTruth({ workloads, events, rate }: TruthOptions): Promise<void> {
  const flink = await flinkPeer();
  if ('skip' in flink) throw new Error(flink.skip);
  const differences: string[] = [];
  for (const workload of workloads) {
    const { path, millrace, expected } = await resultsOf(workload, events, rate);
    const found: (readonly [engine: string, lines: readonly string[]])[] = [['here', expected]];
    for (const form of FORMS) found.push([`flink, ${form}`, await flinkLines(flink, workload, path, form)]);
    for (const [engine, lines] of found) {
      const difference = firstDifference(millrace, lines);
      if (difference !== null) differences.push(`${workload}, ${engine}: ${difference}`);
    }
    say(`${workload}: ${millrace.length} rows${differences.length === 0 ? ', all equal' : ''}`);
  }
  if (differences.length > 0) throw new Error(`Results differ. ${differences.join('; ')}`);
}

async function resultsOf(workload: string, events: number, rate: number): Promise<Results> {
  if (workload === 'edges') return edgeResults();
  const query = QUERY_NAMES.find((name) => name === workload);
  if (query === undefined) throw new Error(`There is no workload '${workload}'.`);
  const file = nexmarkFile({ events, rate, seed: SEED }, FOLDER);
  const frames = file.frames();
  const { results } = await runQuery(query, frames, events, true);
  return { path: file.path, millrace: results.lines(), expected: expectedLines(query, eventsOf(frames)) };
}

async function edgeResults(): Promise<Results> {
  const file = edgeFile(EDGE_EVENTS, SEED, FOLDER);
  const frames = file.frames();
  const [millrace, expected] = [edges(false), edges(true)];
  for (const planned of [millrace, expected]) await runPlanned(planned, EdgeEvent, frames, EDGE_EVENTS);
  return { path: file.path, millrace: millrace.results.lines(), expected: expected.results.lines() };
}

async function flinkLines(
  flink: FlinkPeer,
  workload: string,
  path: string,
  form: (typeof FORMS)[number],
): Promise<readonly string[]> {
  const lines = join(FOLDER, `flink-lines-${process.pid}.csv`);
  try {
    await flink.run(workload, path, { form, parallelism: 1, checkpointMs: 1_000, warmup: 0, lines });
    return readFileSync(lines, 'utf8').split('\n').slice(0, -1);
  } finally {
    rmSync(lines, { force: true });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
