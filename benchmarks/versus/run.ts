import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NexmarkOutcome } from '../nexmark/engine.ts';
import { nexmarkFile } from '../nexmark/event-file.ts';
import { QUERY_NAMES } from '../nexmark/queries.ts';
import { flinkPeer } from '../peers/flink/run.ts';
import { PEERS } from '../peers/peers.ts';
import { type EntryForm, streamOf } from '../t1/drain.ts';
import { t1Process, withFilledRedis } from '../t1/process.ts';
import { t1File } from '../t1/workload.ts';
import { finishReport, machineText, type ReportFiles } from './finish-report.ts';
import { nsPerEvent, type VersusOutcome, type VersusReport } from './outcome.ts';
import { describeComparison } from './report.ts';

export interface VersusOptions extends ReportFiles {
  /** `t1`, `t1-100k`, `t1-1m` (devices), `t1-drain`, `t1-json` (from Redis) and Nexmark's `q0` … */
  readonly workloads: readonly string[];
  /** `millrace`, `loop`, `flink`, `flink-best`, the last two also with ` 2`, at parallelism 2; and those of `PEERS`. */
  readonly engines: readonly string[];
  readonly events: number;
  readonly runs: number;
  /** CPU time of uncounted runs before each that counts, ms. */
  readonly warmUpMs: number;
}

const SEED = 42;
const NEXMARK_RATE = 10_000;
const FOLDER = join('benchmarks', 'results');
interface T1Workload {
  readonly devices: number;
  /** How events lie that are read from Redis, or by a peer from a server of its own. */
  readonly form?: EntryForm;
  /** The job that Millrace runs; another engine has one program for T1. */
  readonly variant?: 'functions' | 'process';
}

const T1: Readonly<Record<string, T1Workload>> = {
  t1: { devices: 10_000 },
  't1-100k': { devices: 100_000 },
  't1-1m': { devices: 1_000_000 },
  't1-functions': { devices: 10_000, variant: 'functions' },
  't1-process': { devices: 10_000, variant: 'process' },
  't1-drain': { devices: 10_000, form: 'frames' },
  't1-json': { devices: 10_000, form: 'json' },
};
/** What the report says of each engine. */
const ENGINES: Readonly<Record<string, string>> = {
  millrace: 'jobs as their authors write them, exactly-once, a checkpoint per second',
  loop: 'the query written by hand over the same frames, without state that could be stored',
  flink:
    'the DataStream program that a good user writes and tunes: keyBy with its exchange, window operators',
  'flink-best':
    'an upper bound for Flink, chosen by hand for one slot: no exchange (reinterpretAsKeyedStream), windows of its own where they cost less',
  kafka:
    'Kafka Streams by the Processor API, from a topic of a broker of its own, exactly-once, a commit per second',
  'kafka-best':
    'an upper bound for Kafka Streams, chosen by hand: a store of its own on an interface that is not public',
};

interface Input {
  readonly path: string;
  readonly what: string;
  /** The server and the stream that hold the events, where they are read from Redis. */
  readonly redis?: { readonly url: string; readonly stream: string };
}

type Engine = (workload: string, input: Input, run: Run) => Promise<VersusOutcome>;
type Run = Pick<VersusOptions, 'events' | 'warmUpMs'>;

/** Every workload on every engine, one after another and round after round, each in a process of its own that has warmed up. */
export async function runVersus(options: VersusOptions): Promise<void> {
  const { engines, skipped } = await openEngines(options.engines);
  const inputs = new Map(options.workloads.map((workload) => [workload, inputOf(workload, options.events)]));
  const outcomes: VersusOutcome[] = [];
  for (let round = 1; round <= options.runs; round++) {
    for (const [workload, input] of inputs) {
      for (const [name, engine] of engines) {
        if (name === 'loop' && kindOf(workload) !== 't1') continue;
        if (PEERS[name]?.workloads.includes(kindOf(workload)) === false) continue;
        const outcome = {
          ...(await runOnce(name, engine, workload, input, options)),
          workload,
          engine: name,
        };
        if (outcome.rows === 0)
          throw new Error(`${workload} has no results of ${options.events} events to compare: give more.`);
        outcomes.push(outcome);
        say(`round ${round}  ${workload} ${name}: ${nsPerEvent(outcome).toFixed(0)} ns CPU per event`);
      }
    }
  }
  const report: VersusReport = {
    date: new Date().toISOString().slice(0, 10),
    machine: machineText(),
    versions: { node: process.version },
    engines: Object.fromEntries(
      Object.entries(ENGINES).filter(([name]) =>
        outcomes.some(({ engine }) => engine === name || engine === `${name} 2`),
      ),
    ),
    inputs: Object.fromEntries([...inputs].map(([workload, { what }]) => [workload, what])),
    outcomes,
    skipped,
  };
  finishReport(report, options);
}

/** Two reports side by side, as ratios. */
export function compareVersus(base: string, now: string): void {
  const [before, after] = [base, now].map((file) => JSON.parse(readFileSync(file, 'utf8')) as VersusReport);
  say(describeComparison(before as VersusReport, after as VersusReport));
}

function inputOf(workload: string, events: number): Input {
  const t1 = T1[workload];
  if (t1 !== undefined) {
    const { devices, form } = t1;
    const { path, sha256 } = t1File({ events, devices, seed: SEED }, FOLDER);
    const where = form === undefined ? '' : `, as ${form} from a server's stream or topic`;
    return {
      path,
      what: `${events} events of ${devices} devices${where}, seed ${SEED}, SHA-256 ${sha256}`,
    };
  }
  if (!QUERY_NAMES.some((name) => name === workload)) throw new Error(`There is no workload '${workload}'.`);
  const { path, sha256 } = nexmarkFile({ events, rate: NEXMARK_RATE, seed: SEED }, FOLDER);
  return {
    path,
    what: `${events} Nexmark events at ${NEXMARK_RATE}/s of event time, seed ${SEED}, SHA-256 ${sha256}`,
  };
}

function runOnce(
  name: string,
  engine: Engine,
  workload: string,
  input: Input,
  run: Run,
): Promise<VersusOutcome> {
  const { devices, form } = T1[workload] ?? {};
  // A peer brings the server that it reads from.
  const fromRedis = devices !== undefined && form !== undefined && PEERS[name] === undefined;
  if (!fromRedis) return engine(workload, input, run);
  const { events } = run;
  return withFilledRedis(form, { ...run, devices, folder: FOLDER }, (url) =>
    engine(workload, { ...input, redis: { url, stream: streamOf(form, events) } }, run),
  );
}

async function openEngines(names: readonly string[]) {
  const engines = new Map<string, Engine>();
  const skipped: Record<string, string> = {};
  const flink = names.some((name) => name.startsWith('flink')) ? await flinkPeer() : null;
  for (const name of names) {
    if (name === 'millrace') engines.set(name, millrace);
    else if (name === 'loop') engines.set(name, (workload, input, run) => t1('floor', workload, input, run));
    else if (PEERS[name] !== undefined) {
      const peer = await PEERS[name].open();
      if ('skip' in peer) skipped[name] = peer.skip;
      else
        engines.set(name, async (workload, { path }, { warmUpMs }) => ({
          ...(await peer.run(kindOf(workload), path, warmUpMs)),
          workload,
          engine: name,
        }));
    } else if (flink !== null && 'skip' in flink) skipped['flink'] = flink.skip;
    else if (flink !== null && /^flink(-best)?( 2)?$/.test(name)) {
      const form = name.startsWith('flink-best') ? 'best' : 'ordinary';
      const parallelism = name.endsWith(' 2') ? 2 : 1;
      engines.set(name, (workload, { path, redis }, { events, warmUpMs }) => {
        const warmup = Math.min(events, 1_000_000);
        const from = redis === undefined ? {} : { redis };
        return flink.run(kindOf(workload), path, {
          form,
          parallelism,
          checkpointMs: 1_000,
          warmup,
          warmUpMs,
          ...from,
        });
      });
    } else
      throw new Error(
        `There is no engine '${name}': use millrace, loop, flink, flink 2, flink-best, flink-best 2, ${Object.keys(PEERS).join(', ')}.`,
      );
  }
  for (const [peer, why] of Object.entries(skipped)) say(`SKIPPED ${peer}: ${why}`);
  return { engines, skipped };
}

/** What a program of a peer has to do: T1 over frames is one whatever the devices are. */
function kindOf(workload: string): string {
  return T1[workload] !== undefined && T1[workload].form === undefined ? 't1' : workload;
}

const millrace: Engine = async (workload, input, run) => {
  const { form, variant = 'engine' } = T1[workload] ?? {};
  if (form !== undefined) return t1(form === 'json' ? 'json' : 'drain', workload, input, run);
  if (T1[workload] !== undefined) return t1(variant, workload, input, run);
  const once = join(import.meta.dirname, '../nexmark/once.ts');
  const numbers = [run.events, NEXMARK_RATE, SEED].map(String);
  const args = ['--expose-gc', once, workload, ...numbers, FOLDER, String(run.warmUpMs)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 20 });
  const outcome = JSON.parse(stdout) as NexmarkOutcome;
  return { ...outcome, workload, checksum: String(outcome.checksum) };
};

async function t1(variant: string, workload: string, { redis }: Input, run: Run): Promise<VersusOutcome> {
  const { devices } = T1[workload] as { devices: number };
  const { digest, ...outcome } = await t1Process(variant, { ...run, devices, folder: FOLDER }, redis?.url);
  return { ...outcome, workload, engine: 'millrace', checksum: digest };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
