import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  type JobHandle,
  type LogReader,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  type RedisLink,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import { readEnvelope } from '#wire';
import { openDeviceRegistry } from '../../jobs/device-telemetry/device-registry.ts';
import { deviceTelemetry } from '../../jobs/device-telemetry/job.ts';
import { recordsOf, startOf } from '../../sinks/timeseries/series-layout.ts';
import { type Crossing, Crossings } from './crossings.ts';
import { Delays, type Percentiles } from './delays.ts';
import { machineClock } from './machine-clock.ts';
import { type LatencySettings, NAMESPACE, OUT_OF_ORDERNESS_MS } from './settings.ts';

/** What the engine tells its parent. */
export type EngineMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'stopped'; readonly report: EngineReport };

/** What its parent tells it: the run is measured from then, to then; end. */
export type EngineCommand =
  | { readonly kind: 'from'; readonly atMs: number }
  | { readonly kind: 'to'; readonly atMs: number }
  | { readonly kind: 'stop'; readonly records: number };

/** What was seen inside the engine's process. All times epoch ms. */
export interface EngineReport {
  /** A task took the frame of the last lane that a window waited for. */
  readonly taken: readonly Crossing[];
  readonly written: readonly WrittenWindow[];
  /** From the due time of a frame's newest record until a task took the frame. */
  readonly frameAge: Percentiles;
  readonly frameAgePerSecondMaxUs: readonly (number | null)[];
  /** Taken while the run was measured; fewer than were due when the engine fell behind. */
  readonly recordsTaken: number;
  /** Share of the time in which the thread did something, while the run was measured. */
  readonly threadBusyShare: number;
  readonly checkpoints: readonly CheckpointSpan[];
  readonly restarts: number;
}

/** One window's way into the live series. */
export interface WrittenWindow {
  readonly windowStart: number;
  readonly batches: number;
  readonly points: number;
  readonly firstSentMs: number;
  readonly lastSentMs: number;
  readonly lastAcknowledgedMs: number;
  /** CPU time of the thread from the last lane's frame to the first batch: these records, the watermark, the results. */
  readonly fireCpuMs: number;
  /** … and from the first batch to the last. */
  readonly sendCpuMs: number;
}

export interface CheckpointSpan {
  readonly triggeredAtMs: number;
  readonly durationMs: number;
  /** No record was processed meanwhile. */
  readonly syncMs: number;
  readonly outcome: string;
}

/** Reads times off the engine's own calls: the log's reader, and the link of the live series. Costs a few µs per frame and per write. */
class StageTrace {
  readonly #now: () => number;
  readonly #measured: Span;
  readonly #taken: Crossings;
  readonly #written = new Map<number, MutableWindow>();
  #frameAge: Delays | null = null;
  /** When a frame that may close a window was taken, the last one so far. */
  #takenCpuMs = 0;

  #recordsTaken = 0;

  constructor({ clockOffsetMs, windowMs }: LatencySettings, measured: Span) {
    this.#now = machineClock(clockOffsetMs).now;
    this.#measured = measured;
    this.#taken = new Crossings(windowMs, OUT_OF_ORDERNESS_MS);
  }

  log(log: PartitionLog): PartitionLog {
    return { ...log, openReader: async (options) => this.#reader(await log.openReader(options)) };
  }

  readonly openLink = async (options: Parameters<typeof RedisConnection.open>[0]): Promise<RedisLink> => {
    const link = await RedisConnection.open(options);
    const script: RedisLink['script'] = async (what, keys, args) => {
      if (what.name !== 'write-points') return await link.script(what, keys, args);
      const windows = pointsByWindow(args);
      this.#sent(windows);
      const reply = await link.script(what, keys, args);
      for (const windowStart of windows.keys())
        (this.#written.get(windowStart) as MutableWindow).lastAcknowledgedMs = this.#now();
      return reply;
    };
    return {
      name: link.name,
      server: link.server,
      get losses() {
        return link.losses;
      },
      call: (...call) => link.call(...call),
      callBuffer: (...call) => link.callBuffer(...call),
      callRaw: (...call) => link.callRaw(...call),
      script,
      missing: (...names) => link.missing(...names),
      close: () => link.close(),
    };
  };

  report(seconds: number): Omit<EngineReport, 'threadBusyShare' | 'checkpoints' | 'restarts'> {
    const frameAge = this.#frameAge ?? new Delays(0);
    return {
      recordsTaken: this.#recordsTaken,
      taken: this.#taken.all(),
      written: [...this.#written.values()],
      frameAge: frameAge.percentiles(),
      frameAgePerSecondMaxUs: frameAge.perSecondMaxUs(seconds),
    };
  }

  #reader(reader: LogReader): LogReader {
    return {
      take: () => {
        const frame = reader.take();
        if (frame === null) return null;
        const { producer, maxTime, records } = readEnvelope(frame.bytes);
        const now = this.#now();
        if (this.#taken.passed(`${producer}/${frame.partition}`, maxTime, now))
          this.#takenCpuMs = threadCpuMs();
        const { fromMs, toMs } = this.#measured;
        if (now >= fromMs && now < toMs) {
          this.#recordsTaken += records;
          this.#frameAge ??= new Delays(fromMs);
          this.#frameAge.record(now - maxTime, now);
        }
        return frame;
      },
      pause: (...pause) => reader.pause(...pause),
      ready: () => reader.ready(),
      atHead: (...at) => reader.atHead(...at),
      get failure() {
        return reader.failure;
      },
      close: () => reader.close(),
    };
  }

  #sent(windows: ReadonlyMap<number, number>): void {
    const now = this.#now();
    const cpuMs = threadCpuMs();
    for (const [windowStart, points] of windows) {
      let window = this.#written.get(windowStart);
      if (window === undefined) {
        window = { ...NO_BATCH, windowStart, firstSentMs: now, fireCpuMs: cpuMs - this.#takenCpuMs };
        this.#written.set(windowStart, window);
      }
      window.batches++;
      window.points += points;
      window.lastSentMs = now;
      window.sendCpuMs = cpuMs - this.#takenCpuMs - window.fireCpuMs;
    }
  }
}

/** While the run is measured; epoch ms. */
interface Span {
  fromMs: number;
  toMs: number;
}

type MutableWindow = { -readonly [K in keyof WrittenWindow]: WrittenWindow[K] };

const NO_BATCH = { batches: 0, points: 0, lastSentMs: 0, lastAcknowledgedMs: 0, sendCpuMs: 0 } as const;

/** Window start → points, by the arguments that sinks/timeseries/scripts/write-points-6.lua names. */
function pointsByWindow(args: readonly unknown[]): Map<number, number> {
  const points = new Map<number, number>();
  let at = NOTES_AT + 1 + 2 * Number(args[NOTES_AT]);
  while (at < args.length) {
    const end = at + 1 + 2 * Number(args[at]);
    for (at++; at < end; at += 2) {
      const start = startOf(args[at] as string);
      const records = [...recordsOf(args[at + 1] as Buffer)].length;
      points.set(start, (points.get(start) ?? 0) + records);
    }
  }
  return points;
}

/** Linux brings a thread's own figure up to date when its scheduler runs, and when the process's is asked for. */
function threadCpuMs(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const NOTES_AT = 7;

const settings = JSON.parse(process.argv[2] as string) as LatencySettings;
const measured: Span = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
const trace = new StageTrace(settings, measured);
const shared = { url: settings.url, namespace: NAMESPACE, clock: systemClock } as const;
const [log, store, registry] = await Promise.all([
  openRedisPartitionLog({ ...shared, durability: 'process' }),
  openRedisCheckpointStore({ ...shared, durability: 'process' }),
  openDeviceRegistry(shared),
]);
const job = deviceTelemetry({
  registry,
  warehouse: join(settings.dataDir, 'warehouse'),
  windowSize: settings.windowMs,
  checkpointInterval: settings.checkpointIntervalMs,
});
const handle: JobHandle = runJob(job.graph(), {
  namespace: NAMESPACE,
  redisUrl: settings.url,
  log: trace.log(log),
  store,
  clock: systemClock,
  random: systemRandom,
  uuid: () => randomUUID(),
  owner: `latency:${process.pid}`,
  openLink: trace.openLink,
});
let ready = false;
handle.onChange(() => {
  const { state } = handle.status();
  if (state === 'running' && !ready) tell({ kind: 'ready' });
  ready ||= state === 'running';
  if (state === 'failed')
    tell({ kind: 'failed', message: handle.status().failures[0]?.message ?? 'unknown' });
});

let before = performance.eventLoopUtilization();
let busyShare = 0;
process.on('message', (message: EngineCommand) => {
  switch (message.kind) {
    case 'from':
      measured.fromMs = message.atMs;
      before = performance.eventLoopUtilization();
      return;
    case 'to':
      measured.toMs = message.atMs;
      busyShare = performance.eventLoopUtilization(before).utilization;
      return;
    case 'stop':
      void stop(message.records);
  }
});

/** @param records what the job reads before it is stopped */
async function stop(records: number): Promise<void> {
  while (handle.status().sources.reduce((sum, { offset }) => sum + offset, 0) < records)
    await systemClock.sleep(20);
  const { checkpoints, restarts } = handle.status();
  await handle.stop();
  const report: EngineReport = {
    ...trace.report(settings.seconds),
    threadBusyShare: busyShare,
    checkpoints: checkpoints.history.map(({ triggeredAt, durationMs, syncMs, outcome }) => ({
      triggeredAtMs: triggeredAt,
      durationMs,
      syncMs,
      outcome,
    })),
    restarts,
  };
  await Promise.all([log.close(), store.close()]);
  registry.close();
  tell({ kind: 'stopped', report });
  process.disconnect();
}

function tell(message: EngineMessage): void {
  process.send?.(message);
}
