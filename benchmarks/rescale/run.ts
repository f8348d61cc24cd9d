import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BundleStore,
  FrameWriter,
  JobRegistry,
  type JobStatus,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  type RescaleEntry,
  systemClock,
} from '#engine';
import { readTopic } from '../../operators/testing/read-topic.ts';
import { bundleJob } from '../../ops/bundle/bundle-job.ts';
import { startBenchRedis } from '../bench-redis.ts';
import { KeyEvent, KeyTotal, totalsTopic } from './keys-job.ts';

export interface RescaleOptions {
  readonly keys: number;
  readonly json?: string;
}

const NAMESPACE = 'bench';
const JOB = 'many-keys';
const FORK = 'many-keys-at-3';
const PARTITIONS = 4;
const FED_PER_SECOND = 5_000;
const TIMEOUT_MS = 120_000;

interface Outcome {
  readonly rescales: readonly RescaleEntry[];
  readonly events: number;
  readonly keys: number;
  /** Keys whose total is wrong, missing or given twice; of the job, and of its fork at parallelism 3. */
  readonly wrong: number;
  readonly wrongInFork: number;
}

/**
 * A job with a count, a sum and a timer per key is rescaled 1 → 4 → 2 on two workers while events come, and a savepoint from before that goes on
 * at parallelism 3 as a fork. Reports how long no record was processed, and recounts every key.
 */
export async function runRescale({ keys, json }: RescaleOptions): Promise<void> {
  print(`Rescale 1 → 4 → 2 with ${keys} keys, ${FED_PER_SECOND} events per second meanwhile`);
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const outcome = await run(keys);
  for (const { from, to, checkpointMs, downtimeMs, outcome: how } of outcome.rescales)
    print(
      `${from} → ${to}: ${how}, checkpoint ${(checkpointMs / 1000).toFixed(2)} s, downtime ${(downtimeMs / 1000).toFixed(2)} s`,
    );
  print(
    `${outcome.events} events of ${outcome.keys} keys: ${outcome.wrong} keys wrong; fork at parallelism 3: ${outcome.wrongInFork} wrong`,
  );
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcome, null, 2)}\n`);
  if (outcome.wrong + outcome.wrongInFork > 0) throw new Error('Some keys were counted wrongly.');
}

async function run(keys: number): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-rescale-'));
  const redis = await startBenchRedis(dir);
  const workers: ChildProcess[] = [];
  const link = await RedisConnection.open({ url: redis.url, name: 'bench', clock: systemClock });
  const shared = { url: redis.url, namespace: NAMESPACE, clock: systemClock, durability: 'process' } as const;
  const log = await openRedisPartitionLog(shared);
  try {
    const cluster = { link, namespace: NAMESPACE, clock: systemClock, uuid: () => randomUUID() };
    const jobs = new JobRegistry(cluster);
    const { code } = await bundleJob(join(import.meta.dirname, 'keys-job.ts'));
    const bundle = await new BundleStore(cluster).put(code);
    const feed = await Feed.open(log, keys);
    await hold(log);
    await feed.all();
    workers.push(startWorker(redis.url, 4), startWorker(redis.url, 3));
    await jobs.change(JOB, 'start', { desired: 'running', parallelism: 1, bundle });
    await reached(jobs, JOB, (status) => status.state === 'running' && offsets(status) === feed.fed);
    feed.start();
    const { savepoint } = await answered(jobs, 'savepoint', 'savepoint', {});
    const rescales: RescaleEntry[] = [];
    for (const parallelism of [4, 2]) {
      const entry = await answered(jobs, `to-${parallelism}`, 'rescale', { parallelism });
      rescales.push(entry as unknown as RescaleEntry);
      await reached(jobs, JOB, (status) => offsets(status) > feed.fed - FED_PER_SECOND);
    }
    await answered(jobs, 'fork', 'fork', { name: FORK, checkpoint: savepoint });
    await jobs.change(FORK, 'at-3', { parallelism: 3 });
    await feed.stop();
    for (const job of [JOB, FORK]) {
      await reached(jobs, job, (status) => status.state === 'running' && offsets(status) === feed.fed);
      await jobs.request(job, 'stop', 'stop-with-savepoint', { drain: true });
      await reached(jobs, job, (status) => status.state === 'stopped');
    }
    return {
      rescales,
      events: feed.fed,
      keys,
      wrong: await wrongKeys(log, JOB, feed),
      wrongInFork: await wrongKeys(log, FORK, feed),
    };
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
    await log.close();
    link.close();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Events of known keys and values, counted here as well. */
class Feed {
  readonly #writer: FrameWriter<KeyEvent>;
  readonly #keys: number;
  /** Per key, how many events it has had; the n of an event is the number of the key's events before it. */
  readonly counts: Int32Array;
  fed = 0;
  #running: Promise<void> | null = null;
  #stopped = false;

  private constructor(writer: FrameWriter<KeyEvent>, keys: number) {
    this.#writer = writer;
    this.#keys = keys;
    this.counts = new Int32Array(keys);
  }

  static async open(log: PartitionLog, keys: number): Promise<Feed> {
    await log.createTopic('key-events', {
      partitions: PARTITIONS,
      schema: KeyEvent,
      quotaBytes: 4 * 1024 ** 3,
    });
    const writer = await FrameWriter.open({
      log,
      topic: 'key-events',
      schema: KeyEvent,
      producer: 'feed',
      epoch: 1,
      partitionOf: ({ key }: KeyEvent) => key % PARTITIONS,
      clock: systemClock,
    });
    return new Feed(writer, keys);
  }

  /** One event of every key. */
  async all(): Promise<void> {
    for (let key = 0; key < this.#keys; key++) await this.#event(key);
    await systemClock.sleep(100);
  }

  /** Goes on with events of keys in turn, at a steady pace. */
  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await this.#writer.close();
  }

  async #run(): Promise<void> {
    for (let key = 0; !this.#stopped; ) {
      for (let i = 0; i < FED_PER_SECOND / 20; i++, key = (key + 7_919) % this.#keys) await this.#event(key);
      await systemClock.sleep(50);
    }
  }

  async #event(key: number): Promise<void> {
    const n = this.counts[key] as number;
    this.counts[key] = n + 1;
    await this.#writer.write({ at: this.fed++, key, n });
  }
}

async function wrongKeys(log: PartitionLog, job: string, { counts }: Feed): Promise<number> {
  const seen = new Int32Array(counts.length);
  let wrong = 0;
  for (const { key, events, sum } of await readTopic(log, totalsTopic(job), KeyTotal)) {
    const count = counts[key] as number;
    if (seen[key] !== 0 || events !== count || sum !== (count * (count - 1)) / 2) wrong++;
    seen[key] = 1;
  }
  return wrong + seen.filter((times) => times === 0).length;
}

/** Savepoints do not keep the log: somebody who stays at its beginning does, so that the fork finds what it has to read. */
async function hold(log: PartitionLog): Promise<void> {
  const topic = 'key-events';
  const positions = await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => ({
      topic,
      partition,
      ...(await log.position(topic, partition, 'earliest')),
    })),
  );
  await log.registerPositions('holder', 1, positions);
}

function startWorker(url: string, slots: number): ChildProcess {
  const cli = join(import.meta.dirname, '../../ops/cli/main.mjs');
  const args = [cli, 'worker', '--redis', url, '--namespace', NAMESPACE, '--slots', `${slots}`];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

async function answered(
  jobs: JobRegistry,
  id: string,
  kind: Parameters<JobRegistry['request']>[2],
  args: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const untilMs = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { answer } = await jobs.request(JOB, id, kind, args);
    if (answer.state === 'done') return answer.result;
    if (answer.state === 'failed') throw new Error(`${kind}: ${JSON.stringify(answer.result)}`);
    if (performance.now() > untilMs) throw new Error(`${kind} was not answered`);
    await systemClock.sleep(50);
  }
}

async function reached(
  jobs: JobRegistry,
  job: string,
  condition: (status: JobStatus) => boolean,
): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  for (;;) {
    const published = await jobs.status(job);
    const status =
      published === null ? null : (JSON.parse(Buffer.from(published.document).toString()) as JobStatus);
    if (status !== null && condition(status)) return;
    if (performance.now() > untilMs) {
      const failure = status?.failures?.[0]?.message ?? 'none';
      throw new Error(
        `'${job}' did not get there; it is ${status?.state ?? 'unknown'}, its last failure: ${failure}`,
      );
    }
    await systemClock.sleep(50);
  }
}

function offsets({ sources }: JobStatus): number {
  return sources.reduce((sum, { offset }) => sum + offset, 0);
}

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
