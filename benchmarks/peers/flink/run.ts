import { execFile } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

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
  /** How many of the first events are run before, again and again for twenty seconds of CPU time; 0 for none. */
  readonly warmup: number;
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
const JAVA_MIN = 17;
const BUILD_TIMEOUT_MS = 600_000;
const RUN_TIMEOUT_MS = 1_800_000;
const OUTPUT_BYTES_MAX = 1 << 22;

const execute = promisify(execFile);
let built: Promise<FlinkPeer | { readonly skip: string }> | undefined;

/** Builds the peer on the first call, where Java and Maven are there; else says what is missing. */
export function flinkPeer(): Promise<FlinkPeer | { readonly skip: string }> {
  built ??= build();
  return built;
}

async function build(): Promise<FlinkPeer | { readonly skip: string }> {
  const java = await output('java', ['-version']);
  if (java === null) return { skip: 'Java is not installed: the Flink peer needs 17 or newer.' };
  const version = Number(/version "(\d+)/.exec(java)?.[1] ?? 0);
  if (version < JAVA_MIN)
    return { skip: `The Flink peer needs Java ${JAVA_MIN} or newer, found ${version}.` };
  if ((await output('mvn', ['-version'])) === null)
    return { skip: 'Maven is not installed: the Flink peer is built with it.' };
  try {
    if (!isBuilt()) await packaged();
  } catch (error) {
    return { skip: `The Flink peer could not be built: ${reasonOf(error)}` };
  }
  return { run };
}

/** Whether the last build has seen all sources as they are. */
function isBuilt(): boolean {
  const cwd = import.meta.dirname;
  const jar = join(cwd, 'target', 'flink-peer.jar');
  if (!existsSync(jar)) return false;
  const newest = globSync(['pom.xml', 'src/**/*.java'], { cwd }).map(
    (file) => statSync(join(cwd, file)).mtimeMs,
  );
  return Math.max(...newest) <= statSync(jar).mtimeMs;
}

/** Without the network where everything is there already. */
async function packaged(): Promise<void> {
  const maven = (...flags: readonly string[]) =>
    execute('mvn', ['-q', '-B', '-T1', ...flags, 'package'], {
      cwd: import.meta.dirname,
      timeout: BUILD_TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
  try {
    await maven('-o');
  } catch {
    await maven();
  }
}

async function run(workload: string, file: string, options: FlinkOptions): Promise<FlinkOutcome> {
  const target = join(import.meta.dirname, 'target');
  const args = [
    ...JVM_FLAGS,
    '-cp',
    `${join(target, 'classes')}:${join(target, 'lib', '*')}`,
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
    ...(options.redis === undefined ? [] : ['--redis', options.redis.url, '--stream', options.redis.stream]),
    ...(options.lines === undefined ? [] : ['--lines', options.lines]),
  ];
  const { stdout } = await execute('java', args, { timeout: RUN_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX });
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as FlinkOutcome;
}

/** What a program writes to either stream, or null when it cannot be run. */
async function output(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await execute(program, args);
    return stdout + stderr;
  } catch {
    return null;
  }
}

/** The first lines of what Maven says. */
function reasonOf(error: unknown): string {
  const { stdout, message } = error as { readonly stdout?: string; readonly message: string };
  return (stdout || message).split('\n').slice(0, 3).join(' ');
}
