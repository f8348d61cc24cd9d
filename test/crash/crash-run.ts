import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameWriter, openRedisPartitionLog, type PartitionLog, systemClock } from '#engine';
import { keyPartitioner } from '#wire';
import { openDeviceRegistry } from '../../jobs/device-telemetry/device-registry.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { EngineSupervisor } from './engine-supervisor.ts';
import { ForwarderSupervisor } from './forwarder-supervisor.ts';
import type { Incident } from './incident.ts';
import type { PlantedBug } from './planted-bug.ts';
import { type Findings, verify } from './verify.ts';
import {
  closingReadings,
  fleetReadings,
  forwarderArguments,
  NAMESPACE,
  PARTITIONED_BY,
  registration,
  TOPIC,
  type Workload,
} from './workload.ts';

export interface CrashOptions {
  readonly workload: Workload;
  readonly incidents: readonly Incident[];
  readonly forwarderKills: number;
  readonly redisKills: number;
  readonly parallelism: number;
  readonly plantedBug: PlantedBug | null;
  readonly timeoutMs: number;
  /** Called now and then with a line for people. */
  readonly onProgress?: (line: string) => void;
}

export interface CrashReport {
  /** How often the engine died where; `forwarder` and `redis` beside. */
  readonly deaths: ReadonlyMap<string, number>;
  readonly restartsInside: number;
  readonly findings: Findings | null;
  /** Empty when everything held. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Runs the pipeline under its incidents until the input is drained, and verifies all it has left. */
export async function runCrash(options: CrashOptions): Promise<CrashReport> {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(temporaryRoot(), 'mr-crash-'));
  const [redis, postgres] = await Promise.all([
    startRedis({ appendonly: 'everysec', dir: makeFolder(folder, 'redis') }),
    startPostgres(),
  ]);
  const log = await openRedisPartitionLog({ ...shared(redis), durability: 'process' });
  try {
    await prepare(options.workload, log, redis);
    const run = new CrashRun(options, { folder, redis, postgres, log });
    const problems = await run.drive();
    // Without its whole input there is nothing to count.
    const findings =
      problems.length > 0
        ? null
        : await verify({
            workload: options.workload,
            log,
            redisUrl: redis.url,
            postgresUrl: postgres.url,
            warehouse: run.warehouse,
          });
    return {
      deaths: run.deaths(),
      restartsInside: run.restartsInside,
      findings,
      problems: [...problems, ...(findings?.problems ?? [])],
      seconds: (performance.now() - startedMs) / 1_000,
    };
  } finally {
    await log.close();
    await Promise.all([redis.stop(), postgres.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Places {
  readonly folder: string;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  readonly log: PartitionLog;
}

const CHECKPOINT_INTERVAL_MS = 250;
const LOOK_EVERY_MS = 20;
const PROGRESS_EVERY_MS = 2_000;
/** Traps that the drained input does not spring any more are given up after this. */
const UNSPRUNG_MS = 10_000;
/** An attempt that was thawed has this long to find out that it is fenced. */
const FENCED_MS = 40_000;

/** Drives one run. Owns the engine's, the forwarder's and Redis's deaths. */
class CrashRun {
  readonly warehouse: string;
  readonly #options: CrashOptions;
  readonly #places: Places;
  readonly #engine: EngineSupervisor;
  readonly #forwarder: ForwarderSupervisor;
  readonly #redisShares: number[];
  readonly #deadlineMs: number;
  readonly #problems: string[] = [];
  #redisKills = 0;
  #delivered = false;
  #saidAtMs = 0;

  constructor(options: CrashOptions, places: Places) {
    const { workload, incidents, plantedBug, parallelism, forwarderKills, redisKills, timeoutMs } = options;
    const { folder, redis, postgres } = places;
    this.#options = options;
    this.#places = places;
    this.#deadlineMs = performance.now() + timeoutMs;
    this.warehouse = join(folder, 'warehouse');
    this.#redisShares = shares(redisKills);
    const outbox = makeFolder(folder, 'outbox');
    this.#forwarder = new ForwarderSupervisor(
      forwarderArguments(workload, redis.url, outbox),
      shares(forwarderKills),
    );
    void this.#forwarder.done.then((problem) => {
      this.#delivered = true;
      if (problem !== null && problem !== 'stopped') this.#problems.push(problem);
    });
    const engine = {
      redisUrl: redis.url,
      postgresUrl: postgres.url,
      warehouse: this.warehouse,
      windowMs: workload.windowMs,
      checkpointIntervalMs: CHECKPOINT_INTERVAL_MS,
      parallelism,
      plantedBug,
      compileCache: makeFolder(folder, 'compile-cache'),
    };
    this.#engine = new EngineSupervisor(engine, incidents);
  }

  get restartsInside(): number {
    return this.#engine.restartsInside;
  }

  deaths(): ReadonlyMap<string, number> {
    const others = [
      ['forwarder', this.#forwarder.kills],
      ['redis', this.#redisKills],
    ] as const;
    return new Map([...[...this.#engine.deaths].toSorted(([a], [b]) => a.localeCompare(b)), ...others]);
  }

  /** @returns what went wrong on the way; the job has stopped in good order when that is nothing */
  async drive(): Promise<readonly string[]> {
    try {
      await this.#drain();
      if (this.#failed()) return this.#allProblems();
      await this.#close();
      await this.#engine.thawAll(FENCED_MS);
      if (this.#failed()) return this.#allProblems();
      const end = await this.#engine.stop();
      if (end.state !== 'stopped' || end.checkpoint === null)
        this.#problems.push(`the job stopped as ${end.state}: ${end.code}: ${end.message}`);
      return this.#allProblems();
    } finally {
      await Promise.all([this.#engine.kill(), this.#forwarder.kill()]);
    }
  }

  /** Until the job has read all of the input and every incident has happened. */
  async #drain(): Promise<void> {
    const { events } = this.#options.workload;
    let drainedMs: number | null = null;
    for (;;) {
      await this.#look();
      if (this.#failed()) return;
      const left = this.#engine.incidentsLeft + this.#forwarder.killsLeft + this.#redisShares.length;
      if (!this.#delivered || this.#engine.consumed < events) continue;
      if (left === 0) return;
      drainedMs ??= performance.now();
      if (performance.now() - drainedMs < UNSPRUNG_MS) continue;
      // With a bug planted, what happens when is another story: what has happened must be enough to show it.
      if (this.#options.plantedBug !== null) return;
      this.#problems.push(`the input was drained with ${left} incidents left: give it more events`);
      return;
    }
  }

  /** Lets every window of the fleet close. */
  async #close(): Promise<void> {
    const { workload } = this.#options;
    const { partitions } = workload;
    const writer = await FrameWriter.open({
      log: this.#places.log,
      topic: TOPIC,
      schema: Reading,
      producer: 'closer',
      epoch: 1,
      partitionOf: keyPartitioner(Reading, PARTITIONED_BY.fields, partitions, PARTITIONED_BY.keyGroups),
      clock: systemClock,
    });
    const readings = closingReadings(workload);
    for (const reading of readings) await writer.write(reading);
    await writer.close();
    const lastWindowEnds = workload.fleet.startMs + (workload.events * 1_000) / workload.fleet.rate + 30_000;
    while (!this.#failed() && !this.#closed(workload.events + readings.length, lastWindowEnds))
      await this.#look();
  }

  #closed(records: number, watermark: number): boolean {
    return (this.#engine.status?.consumed ?? 0) >= records && this.#engine.watermark >= watermark;
  }

  async #look(): Promise<void> {
    const { events } = this.#options.workload;
    await sleep(LOOK_EVERY_MS);
    this.#engine.tick(events);
    const share = this.#engine.consumed / events;
    const ends = await this.#places.log.ends(TOPIC);
    const delivered = ends.reduce((sum, { end }) => sum + end, 0) / events;
    const ahead = delivered > this.#engine.nextShare;
    this.#forwarder.tick(delivered, ahead ? (this.#engine.running ? 'slowed' : 'held') : 'free');
    if ((this.#redisShares[0] ?? Number.POSITIVE_INFINITY) <= share) {
      this.#redisShares.shift();
      this.#redisKills++;
      await this.#places.redis.kill9();
      await this.#places.redis.restart();
    }
    if (performance.now() > this.#deadlineMs) this.#problems.push(`not done in time: ${this.#describe()}`);
    if (performance.now() - this.#saidAtMs < PROGRESS_EVERY_MS) return;
    this.#saidAtMs = performance.now();
    this.#options.onProgress?.(this.#describe());
  }

  #describe(): string {
    const { status, consumed, incidentsLeft } = this.#engine;
    const engine = status === null ? 'starting' : `${status.state}, generation ${status.generation}`;
    const failure = status?.failure ?? null;
    return `${consumed} of ${this.#options.workload.events} read, ${incidentsLeft} incidents left, engine ${engine}${failure === null ? '' : `, last failure ${failure}`}`;
  }

  #failed(): boolean {
    return this.#problems.length > 0 || this.#engine.problems.length > 0;
  }

  #allProblems(): readonly string[] {
    return [...this.#problems, ...this.#engine.problems];
  }
}

/** `count` shares of the input, evenly apart, away from both ends. */
function shares(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 0.05 + (0.85 * (i + 0.5)) / count);
}

async function prepare(workload: Workload, log: PartitionLog, redis: RedisServer): Promise<void> {
  const { partitions } = workload;
  await log.createTopic(TOPIC, { partitions, schema: Reading, partitionedBy: PARTITIONED_BY });
  const registry = await openDeviceRegistry(shared(redis));
  const devices = new Map<string, string>();
  for (const { tenant, deviceId } of fleetReadings({ ...workload, events: workload.fleet.devices }))
    devices.set(deviceId, tenant);
  await registry.register(
    [...devices].flatMap(([deviceId, tenant]) => {
      const device = registration(deviceId);
      return device === null ? [] : [{ tenant, deviceId, device }];
    }),
  );
  registry.close();
}

function shared(redis: RedisServer) {
  return { url: redis.url, namespace: NAMESPACE, clock: systemClock } as const;
}

/** In memory where the system has such a place: SIGKILL of processes loses nothing there, and nothing waits for a disk. */
function temporaryRoot(): string {
  const root = '/dev/shm';
  try {
    rmSync(mkdtempSync(join(root, 'mr-probe-')), { recursive: true });
    return root;
  } catch {
    return tmpdir();
  }
}

function makeFolder(...parts: readonly string[]): string {
  const path = join(...parts);
  mkdirSync(path, { recursive: true });
  return path;
}
