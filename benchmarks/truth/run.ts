import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runQuery } from '../nexmark/engine.ts';
import { nexmarkFile } from '../nexmark/event-file.ts';
import { eventsOf, expectedLines } from '../nexmark/oracle.ts';
import { QUERY_NAMES } from '../nexmark/queries.ts';
import type { PlannedQuery } from '../nexmark/query.ts';
import { type FlinkPeer, flinkPeer } from '../peers/flink/run.ts';
import { firstDifference } from './difference.ts';
import { edgeDigests, GIVEN_BY_FLINK } from './edge-digests.ts';
import { edgeFile } from './edge-events.ts';
import { runEdges } from './edges.ts';

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

interface Found {
  readonly by: string;
  readonly lines: readonly string[];
  /** Of the sink, where there is one. */
  readonly checksum?: string;
}

/** Every result row of Millrace beside those of a plain loop and of both forms of Flink, as text. @throws where any row differs */
export async function runTruth({ workloads, events, rate }: TruthOptions): Promise<void> {
  const flink = await flinkPeer();
  if ('skip' in flink) throw new Error(flink.skip);
  const differences: string[] = [];
  for (const workload of workloads) {
    const { path, ours, other } = await resultsOf(workload, events, rate);
    const found = [other];
    for (const form of FORMS) found.push(await byFlink(flink, workload, path, form));
    const some = found.flatMap((theirs) => {
      const difference = differenceOf(ours, theirs);
      return difference === null ? [] : [`${workload}, ${theirs.by}: ${difference}`];
    });
    if (workload === 'edges') some.push(...changedDigests(found.at(-1) as Found));
    differences.push(...some);
    say(`${workload}: ${ours.lines.length} rows, ${some.length === 0 ? 'all equal' : 'with differences'}`);
  }
  if (differences.length > 0) throw new Error(`Results differ. ${differences.join('; ')}`);
}

function differenceOf(ours: Found, { lines, checksum }: Found): string | null {
  const difference = firstDifference(ours.lines, lines);
  if (difference !== null || checksum === undefined || checksum === ours.checksum) return difference;
  return `checksum ${checksum}, here ${ours.checksum}`;
}

/** What Millrace gives, and what else there is without Flink. */
async function resultsOf(
  workload: string,
  events: number,
  rate: number,
): Promise<{ readonly path: string; readonly ours: Found; readonly other: Found }> {
  if (workload === 'edges') {
    const file = edgeFile(FOLDER);
    const [ours, other] = [await runEdges(file.frames(), false), await runEdges(file.frames(), true)];
    return { path: file.path, ours: byMillrace(ours), other: byMillrace(other) };
  }
  const query = QUERY_NAMES.find((name) => name === workload);
  if (query === undefined) throw new Error(`There is no workload '${workload}'.`);
  const file = nexmarkFile({ events, rate, seed: SEED }, FOLDER);
  const frames = file.frames();
  const { results } = await runQuery(query, frames, events, true);
  const other = { by: 'a plain loop', lines: expectedLines(query, eventsOf(frames)) };
  return { path: file.path, ours: byMillrace(results), other };
}

function byMillrace(results: PlannedQuery['results']): Found {
  const checksum = String(results.summary().checksum);
  return { by: 'Millrace, otherwise', lines: results.lines(), checksum };
}

/** The tests go by what Flink once gave. */
function changedDigests({ lines }: Found): string[] {
  const found = JSON.stringify(edgeDigests(lines), null, 2);
  return found === JSON.stringify(GIVEN_BY_FLINK, null, 2) ? [] : [`edges-flink.json is to be\n${found}`];
}

async function byFlink(
  flink: FlinkPeer,
  workload: string,
  path: string,
  form: (typeof FORMS)[number],
): Promise<Found> {
  const file = join(FOLDER, `flink-lines-${process.pid}.csv`);
  try {
    const options = {
      form,
      parallelism: 1,
      checkpointMs: 1_000,
      warmup: 0,
      warmUpMs: 0,
      lines: file,
    } as const;
    const { checksum } = await flink.run(workload, path, options);
    return { by: `Flink, ${form}`, lines: readFileSync(file, 'utf8').split('\n').slice(0, -1), checksum };
  } finally {
    rmSync(file, { force: true });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
