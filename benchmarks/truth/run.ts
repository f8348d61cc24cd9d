import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runQuery } from '../nexmark/engine.ts';
import { nexmarkFile } from '../nexmark/event-file.ts';
import { eventsOf, expectedLines } from '../nexmark/oracle.ts';
import { QUERY_NAMES } from '../nexmark/queries.ts';
import { type FlinkPeer, flinkPeer } from '../peers/flink/run.ts';
import { firstDifference } from './difference.ts';
import { edgeDigests, GIVEN_BY_FLINK } from './edge-digests.ts';
import { edgeFile } from './edge-events.ts';
import { edgeLines } from './edges.ts';

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

type Found = readonly [by: string, lines: readonly string[]];

/** Every result row of Millrace beside those of a plain loop and of both forms of Flink, as text. @throws where any row differs */
export async function runTruth({ workloads, events, rate }: TruthOptions): Promise<void> {
  const flink = await flinkPeer();
  if ('skip' in flink) throw new Error(flink.skip);
  const differences: string[] = [];
  for (const workload of workloads) {
    const { path, lines, others } = await resultsOf(workload, events, rate);
    const found: Found[] = [...others];
    for (const form of FORMS) found.push([`Flink, ${form}`, await flinkLines(flink, workload, path, form)]);
    const some = found.flatMap(([by, expected]) => {
      const difference = firstDifference(lines, expected);
      return difference === null ? [] : [`${workload}, ${by}: ${difference}`];
    });
    if (workload === 'edges') some.push(...changedDigests(found.at(-1) as Found));
    differences.push(...some);
    say(`${workload}: ${lines.length} rows, ${some.length === 0 ? 'all equal' : 'with differences'}`);
  }
  if (differences.length > 0) throw new Error(`Results differ. ${differences.join('; ')}`);
}

/** What Millrace gives, and who else that runs here. */
async function resultsOf(
  workload: string,
  events: number,
  rate: number,
): Promise<{ readonly path: string; readonly lines: readonly string[]; readonly others: readonly Found[] }> {
  if (workload === 'edges') {
    const file = edgeFile(FOLDER);
    const others = [['its windows with a trigger', await edgeLines(file.frames(), true)]] as const;
    return { path: file.path, lines: await edgeLines(file.frames(), false), others };
  }
  const query = QUERY_NAMES.find((name) => name === workload);
  if (query === undefined) throw new Error(`There is no workload '${workload}'.`);
  const file = nexmarkFile({ events, rate, seed: SEED }, FOLDER);
  const frames = file.frames();
  const { results } = await runQuery(query, frames, events, true);
  const others = [['a plain loop', expectedLines(query, eventsOf(frames))]] as const;
  return { path: file.path, lines: results.lines(), others };
}

/** The tests go by what Flink once gave. */
function changedDigests([, lines]: Found): string[] {
  const found = JSON.stringify(edgeDigests(lines), null, 2);
  return found === JSON.stringify(GIVEN_BY_FLINK, null, 2) ? [] : [`edges-flink.json is to be\n${found}`];
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
