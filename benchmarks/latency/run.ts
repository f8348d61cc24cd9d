import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duration, durationMs, openRedisPartitionLog, RedisConnection, systemClock } from '#engine';
import { demoDevices } from '../../jobs/device-telemetry/demo-devices.ts';
import { openDeviceRegistry } from '../../jobs/device-telemetry/device-registry.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { type BenchRedis, startBenchRedis } from '../bench-redis.ts';
import type { EngineReport } from './engine.ts';
import type { GeneratorMessage, GeneratorReport } from './generator.ts';
import { type MachineClock, machineClock } from './machine-clock.ts';
import type { LatencyOutcome } from './outcome.ts';
import { PointObserver } from './point-observer.ts';
import { cpuSecondsOf } from './process-cpu.ts';
import { outcomeText } from './outcome-text.ts';
import { checkResults } from './results-check.ts';
import { type RunningEngine, startEngine } from './running-engine.ts';
import { SeriesDelays } from './series-delays.ts';
import { WrittenPoints } from './written-points.ts';
import {
  FLEET,
  type LatencySettings,
  NAMESPACE,
  OUT_OF_ORDERNESS_MS,
  PARTITIONED_BY,
  PARTITIONS,
  PRODUCERS,
  TOPIC,
} from './settings.ts';
import { voidReasons, windowStages } from './window-stages.ts';

export interface LatencyOptions {
  /** Records per second. */
  readonly rate: number;
  /** Measured, after the warm-up. */
  readonly seconds: number;
  /** A window and the out-of-orderness at least, so that the first window that counts is whole. Default 20. */
  readonly warmUpSeconds?: number;
  /** Default 1,000, and a tenth of the rate at most. */
  readonly devices?: number;
  /** Of the job's windows; whole seconds. Default 10 s, as the job has it. */
  readonly window?: Duration;
  /** How long the generator's writers let a record wait for company. Default 5 ms. */
  readonly lingerMs?: number;
  /** Subtasks of the job. Default 1, as the job has it. */
  readonly parallelism?: number;
  readonly json?: string;
  /** Default: standard output. */
  readonly print?: (line: string) => void;
}

export const LATENCY_HELP = `  latency               engine delay of the live series at a given rate, open loop: the device telemetry job with all sinks
    --rate <n>          records per second, default 20000
    --seconds <n>       measured, after 20 s of warm-up; default 60
    --parallelism <n>   subtasks of the job, default 1; with more, on threads of a worker
`;

const CHECKPOINT_INTERVAL_MS = 5_000;
/** How long the last windows may take after the last record. */
const RESULTS_TIMEOUT_MS = 30_000;

/**
 * Engine delay = emit − window end − out-of-orderness bound, at a rate that is kept whatever the engine does. Emit is when the server told a
 * subscriber of the written point, on the clock that all processes of this machine share.
 */
export async function runLatency(options: LatencyOptions): Promise<LatencyOutcome> {
  const print = options.print ?? ((line: string) => process.stdout.write(`${line}\n`));
  const clock = machineClock();
  const settings = settingsOf(options, clock);
  const load = loadavg()[0] ?? 0;
  print(
    `Latency: ${settings.rate} records per second of ${settings.devices} devices for ${settings.warmUpSeconds} + ${settings.seconds} s`,
  );
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${load.toFixed(2)}`,
  );
  const dir = mkdtempSync(join(tmpdir(), 'millrace-latency-'));
  const redis = await startBenchRedis(dir);
  try {
    const measured = await measure({ ...settings, url: redis.url, dataDir: dir }, redis, clock);
    const outcome = outcomeOf(settings, measured, load);
    for (const line of outcomeText(outcome)) print(line);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(outcome, null, 2)}\n`);
    return outcome;
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What does not depend on where the run takes place. */
type Settings = Omit<LatencySettings, 'url' | 'dataDir'>;

function settingsOf(options: LatencyOptions, clock: MachineClock): Settings {
  const { rate, seconds, warmUpSeconds = 20, lingerMs = 5, parallelism = 1 } = options;
  const windowMs = durationMs(options.window ?? '10s', 'window');
  if (windowMs % 1_000 !== 0) throw new Error('The window must be whole seconds.');
  if (parallelism > 1 && windowMs !== 10_000)
    throw new Error('A worker runs the job as it is: windows of 10 s.');
  if (warmUpSeconds * 1_000 < windowMs + OUT_OF_ORDERNESS_MS)
    throw new Error('The warm-up must be as long as a window and the out-of-orderness together, or longer.');
  const devices = options.devices ?? Math.min(1_000, Math.max(1, Math.floor(rate / 10)));
  return {
    rate,
    devices,
    warmUpSeconds,
    seconds,
    windowMs,
    lingerMs,
    parallelism,
    checkpointIntervalMs: CHECKPOINT_INTERVAL_MS,
    clockOffsetMs: clock.offsetMs,
  };
}

interface Measured {
  readonly generator: GeneratorReport;
  readonly engine: EngineReport | null;
  readonly delays: SeriesDelays;
  readonly cpuSeconds: LatencyOutcome['cpuSeconds'];
  readonly lakeRows: number;
}

async function measure(settings: LatencySettings, redis: BenchRedis, clock: MachineClock): Promise<Measured> {
  await prepare(settings);
  const engine = await startEngine(settings);
  const child = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(settings)]);
  const reader = await RedisConnection.open({
    url: settings.url,
    name: 'latency:points',
    clock: systemClock,
  });
  let observer: PointObserver | null = null;
  try {
    const { windowMs, devices, warmUpSeconds, seconds } = settings;
    await told(child, 'ready');
    // The first window then has a second at least: every device has a point in it.
    const startMs = Math.ceil(clock.now() / 1_000) * 1_000 + 1_000;
    const fromMs = startMs + warmUpSeconds * 1_000;
    const toMs = fromMs + seconds * 1_000;
    const delays = new SeriesDelays({ windowMs, devices, fromMs, toMs });
    const points = new WrittenPoints(reader, windowMs, (point) => delays.written(point));
    observer = await PointObserver.open(settings.url, clock.now, (write) => points.written(write));
    const done = told(child, 'done');
    child.send(startMs);
    const cpu = () => cpuNow(child, engine, redis);
    await until(clock, fromMs);
    engine.measureFrom(fromMs);
    const before = cpu();
    await Promise.race([until(clock, toMs), done]); // fails at once when the generator does
    engine.measureTo(toMs);
    const after = cpu();
    const { report: generator } = await done;
    await complete(delays, minus(after, before).engine / seconds);
    const engineReport = await engine.stop(generator.records);
    const lakeRows = await checkResults({
      ...settings,
      records: generator.records,
      windows: new Map(generator.windows),
      points: delays.points,
    });
    return { generator, engine: engineReport, delays, lakeRows, cpuSeconds: minus(after, before) };
  } finally {
    observer?.close();
    reader.close();
    child.kill('SIGKILL');
    engine.kill();
  }
}

/** The topic as the job would make it, and the fleet in the registry. */
async function prepare({ url, devices }: LatencySettings): Promise<void> {
  const shared = { url, namespace: NAMESPACE, clock: systemClock } as const;
  const registry = await openDeviceRegistry(shared);
  await registry.register(demoDevices({ devices, ...FLEET }));
  registry.close();
  const log = await openRedisPartitionLog({ ...shared, durability: 'process' });
  await log.createTopic(TOPIC, { partitions: PARTITIONS, schema: Reading, partitionedBy: PARTITIONED_BY });
  await log.close();
}

function told<K extends GeneratorMessage['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<GeneratorMessage, { readonly kind: K }>> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The generator ended with code ${code}.`)));
    child.on('message', (message: GeneratorMessage) => {
      if (message.kind === kind) resolve(message as Extract<GeneratorMessage, { readonly kind: K }>);
    });
  });
}

async function until(clock: MachineClock, atMs: number): Promise<void> {
  for (let left = atMs - clock.now(); left > 0; left = atMs - clock.now()) await systemClock.sleep(left);
}

/** @param engineCores that the engine has used while the run was measured */
async function complete(delays: SeriesDelays, engineCores: number): Promise<void> {
  const untilMs = performance.now() + RESULTS_TIMEOUT_MS;
  while (!delays.complete) {
    if (performance.now() > untilMs) {
      const came = `${delays.percentiles().count} points of ${delays.windows} windows came until ${RESULTS_TIMEOUT_MS / 1_000} s after the last record`;
      throw new Error(
        `The rate is more than the engine can do: ${came}. It used ${engineCores.toFixed(2)} cores meanwhile.`,
      );
    }
    await systemClock.sleep(20);
  }
}

function cpuNow(generator: ChildProcess, engine: RunningEngine, redis: BenchRedis) {
  const { user, system } = process.cpuUsage();
  return {
    generator: cpuSecondsOf(generator.pid as number),
    engine: cpuSecondsOf(engine.pid),
    redis: redis.cpuMs() / 1_000,
    observer: (user + system) / 1e6,
  };
}

function minus(after: LatencyOutcome['cpuSeconds'], before: LatencyOutcome['cpuSeconds']) {
  return {
    generator: after.generator - before.generator,
    engine: after.engine - before.engine,
    redis: after.redis - before.redis,
    observer: after.observer - before.observer,
  };
}

function outcomeOf(
  settings: Settings,
  { generator, engine, delays, cpuSeconds, lakeRows }: Measured,
  loadAverage: number,
): LatencyOutcome {
  const { clockOffsetMs: _offset, ...shown } = settings;
  const engineDelay = delays.percentiles();
  return {
    settings: {
      ...shown,
      partitions: PARTITIONS,
      producers: PRODUCERS,
      outOfOrdernessMs: OUT_OF_ORDERNESS_MS,
      guarantee: 'exactly-once',
      emit: 'arrival of the server’s notification of the written point',
      node: process.version,
      cores: cpus().length,
    },
    engineDelay,
    engineDelayPerSecondMaxUs: delays.perSecondMaxUs(settings.seconds),
    goalP99Ms: goalP99Ms(settings.rate),
    generatorLag: generator.lag,
    windows: windowStages(settings, delays.perWindow(), generator, engine),
    frameAge: engine?.frameAge ?? null,
    frameAgePerSecondMaxUs: engine?.frameAgePerSecondMaxUs ?? null,
    recordsTaken: engine?.recordsTaken ?? null,
    threadBusyShare: engine?.threadBusyShare ?? null,
    checkpoints: engine?.checkpoints ?? [],
    cpuSeconds,
    records: generator.records,
    frames: generator.frames,
    bytesPerRecord: generator.bytes / generator.records,
    lakeRows,
    restarts: engine?.restarts ?? 0,
    loadAverage,
    void: voidReasons(generator.lag, engineDelay),
  };
}

/** Below 100 ms at 100,000 records per second, below 50 ms at 20,000. */
function goalP99Ms(rate: number): number | null {
  return rate === 100_000 ? 100 : rate === 20_000 ? 50 : null;
}
