import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { classPath, mavenBuild } from '../maven.ts';
import type { Skipped } from '../peer.ts';

/** What one measured run of the Flink peer prints. Times are of the whole JVM, from the first frame read to the end of the job. */
export interface FlinkOutcome {
  readonly workload: string;
  readonly engine: 'flink';
  readonly version: string;
  readonly parallelism: 1 | 2;
  /** As its users write it, or chosen by hand; README.md says what differs. */
  readonly form: 'ordinary' | 'best';
  readonly checkpointMs: number;
  /** Completed while measured. */
  readonly checkpoints: number;
  readonly events: number;
  /** All threads, compilation and garbage collection included. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** CPU time of planning and deploying the job, not part of `cpuMs`. */
  readonly deployCpuMs: number;
  readonly rows: number;
  /** Of T1 the digest that benchmarks/t1/outcome.ts makes, of Nexmark the sum that benchmarks/nexmark/result-sink.ts makes. */
  readonly checksum: string;
  /** CPU time of the Redis server meanwhile, deploying included, where the events come from one; its own, not part of `cpuMs`. */
  readonly serverCpuMs?: number;
  /** Highest of the process, with the mapped file and the heap, which is touched in advance. */
  readonly rssMb: number;
  readonly heapPeakMb: number;
  /** Time in which the collector had stopped the threads. */
  readonly gcMs: number;
}

export interface FlinkOptions {
  readonly parallelism: 1 | 2;
  /** 0 for no checkpoints. */
  readonly checkpointMs: number;
  /** How many of the first events are run before, again and again; 0 for none. */
  readonly warmup: number;
  /** CPU time for which runs over them are repeated, ms. */
  readonly warmUpMs: number;
  /** File for the result rows as sorted lines; a run that writes one is no measurement. */
  readonly lines?: string;
  readonly form: FlinkOutcome['form'];
  /** Path of a server's socket, and the stream in it that holds the same events as the file. */
  readonly redis?: { readonly url: string; readonly stream: string };
}

export interface FlinkPeer {
  /**
   * @param workload t1, t1-drain, t1-json, or a Nexmark query such as q5
   * @param file frames, `u32 LE length, frame` repeated; from Redis it only says how many events there are, and until when
   */
  readonly run: (workload: string, file: string, options: FlinkOptions) => Promise<FlinkOutcome>;
}

/** README.md says why. */
const JVM_FLAGS = [
  '-Xms4g',
  '-Xmx4g',
  '-XX:+AlwaysPreTouch',
  '-XX:+UseParallelGC',
  '-XX:ParallelGCThreads=2',
  '--add-opens=java.base/java.util=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];
const RUN_TIMEOUT_MS = 1_800_000;
const OUTPUT_BYTES_MAX = 1 << 22;

const execute = promisify(execFile);
let built: Promise<FlinkPeer | Skipped> | undefined;

/** Builds the peer on the first call, where Java and Maven are there; else says what is missing. */
export function flinkPeer(): Promise<FlinkPeer | Skipped> {
  built ??= build();
  return built;
}

async function build(): Promise<FlinkPeer | Skipped> {
  return (await mavenBuild('Flink', import.meta.dirname, ['pom.xml', 'src/**/*.java'])) ?? { run };
}

async function run(workload: string, file: string, options: FlinkOptions): Promise<FlinkOutcome> {
  const args = [
    ...JVM_FLAGS,
    '-cp',
    classPath(import.meta.dirname),
    'millrace.bench.Main',
    workload,
    file,
    '--form',
    options.form,
    '--parallelism',
    String(options.parallelism),
    '--checkpoint-ms',
    String(options.checkpointMs),
    '--warmup',
    String(options.warmup),
    '--warmup-ms',
    String(options.warmUpMs),
    ...(options.redis === undefined ? [] : ['--redis', options.redis.url, '--stream', options.redis.stream]),
    ...(options.lines === undefined ? [] : ['--lines', options.lines]),
  ];
  const { stdout } = await execute('java', args, { timeout: RUN_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX });
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as FlinkOutcome;
}
