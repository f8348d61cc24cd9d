import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { finishReport, machineText, type ReportFiles } from '../versus/finish-report.ts';
import { nsPerEvent, type VersusOutcome, type VersusReport } from '../versus/outcome.ts';
import type { Dataflow, RiotOutcome } from './engine.ts';
import { findSample, riotInput, type RiotOptions } from './workload.ts';

export interface RiotRunOptions extends ReportFiles {
  readonly dataflows: readonly Dataflow[];
  readonly events: number;
  readonly runs: number;
}

export const RIOT_HELP = `  riot [etl|stats]      RIoTBench's dataflows ETL and STATS over SenML messages, beside a plain recount; default both
    --events <n>        messages of five observations, default 100000
    --report <file>, --plots <folder>   as for versus
`;

const SEED = 42;
/** Frames of the sample stay out of the project. */
const folderOf = (sample: string | null) =>
  sample === null ? join('benchmarks', 'results') : join(tmpdir(), 'millrace-riot');
const ENGINES = {
  loop: 'a recount by plain loops and maps, not tuned, without state that could be stored',
  millrace: 'jobs as their authors write them, exactly-once, a checkpoint per second',
} as const;

/** Every dataflow as a job and as a recount, round after round, each in a process of its own; the first round is not counted. @throws when they differ */
export async function runRiot({ dataflows, events, runs, ...files }: RiotRunOptions): Promise<void> {
  const options = { events, seed: SEED, sample: findSample() };
  const { what } = riotInput(options, folderOf(options.sample));
  const outcomes: VersusOutcome[] = [];
  for (let round = 0; round <= runs; round++) {
    for (const dataflow of dataflows) {
      for (const engine of ['loop', 'millrace'] as const) {
        const outcome = await runOnce(dataflow, engine, options);
        if (round > 0) outcomes.push(outcome);
        const label = round === 0 ? 'warm-up' : `round ${round}`;
        process.stdout.write(
          `${label}  ${dataflow} ${engine}: ${nsPerEvent(outcome).toFixed(0)} ns CPU per event\n`,
        );
      }
    }
  }
  const report: VersusReport = {
    date: new Date().toISOString().slice(0, 10),
    machine: machineText(),
    versions: { node: process.version },
    engines: ENGINES,
    inputs: Object.fromEntries(dataflows.map((dataflow) => [nameOf(dataflow), what])),
    outcomes,
    skipped: {},
  };
  finishReport(report, files);
}

const nameOf = (dataflow: Dataflow) => `riot-${dataflow}`;

async function runOnce(
  dataflow: Dataflow,
  engine: keyof typeof ENGINES,
  { events, seed, sample }: RiotOptions,
): Promise<VersusOutcome> {
  const once = join(import.meta.dirname, 'once.ts');
  const args = [
    once,
    dataflow,
    engine,
    String(events),
    String(seed),
    folderOf(sample),
    ...(sample === null ? [] : [sample]),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 20 });
  return { ...(JSON.parse(stdout) as RiotOutcome), workload: nameOf(dataflow), engine, events };
}
