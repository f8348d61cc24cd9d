import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobRegistry, type JobStatus, RedisConnection, systemClock } from '#engine';
import { startBenchRedis } from '../bench-redis.ts';
import { median } from '../median.ts';
import { fill, NAMESPACE } from './load.ts';
import { readResults, type Results } from './results.ts';

/** What the job makes of the readings: everything, or windows and their live series only. */
export const WORKERS_JOBS = {
  all: '../../jobs/device-telemetry/index.ts',
  windows: './windows-job.ts',
} as const;
export type WorkersJob = keyof typeof WORKERS_JOBS;

export interface WorkersOptions {
  readonly events: number;
  readonly job: WorkersJob;
  readonly runs: number;
  readonly json?: string;
}

/** How the slots of the device telemetry job lie. */
const LAYOUTS = [
  { name: 'one slot', workers: 1, slots: 1 },
  { name: 'two threads of one worker', workers: 1, slots: 2 },
  { name: 'two workers', workers: 2, slots: 1 },
] as const;
type Layout = (typeof LAYOUTS)[number];

interface Outcome extends Results {
  readonly layout: string;
  readonly wallMs: number;
  /** Of all workers, all threads, while readings were processed. */
  readonly cpuMs: number;
  readonly serverCpuMs: number;
}

const JOB = 'device-telemetry';
const PROGRESS_TIMEOUT_MS = 600_000;

/**
 * The device telemetry job on one and two workers, drained from a full topic: the same results, and what the exchange
 * between threads and through Redis costs. With two cores for workers, Redis and everything else, wall time shows no scaling.
 */
export async function runWorkers({ events, job, runs, json }: WorkersOptions): Promise<void> {
  const results = job === 'all' ? 'windows, live series and lake' : 'windows and live series';
  print(`Device telemetry: ${events} readings of 10,000 devices in 4 partitions, ${results}`);
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const outcomes: Outcome[] = [];
  for (let round = 0; round < runs; round++) {
    for (const layout of LAYOUTS) {
      const outcome = await runOnce(layout, job, events);
      outcomes.push(outcome);
      print(`round ${round + 1}  ${describe(outcome, events)}`);
    }
  }
  const found = new Set(
    outcomes.map((o) => `${o.windows} windows, digest ${o.digest}, ${o.lakeRows} lake rows`),
  );
  print('', ...table(outcomes, events), '', `Results: ${[...found].join(' ≠ ')}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, null, 2)}\n`);
  if (found.size !== 1) throw new Error('The layouts do not agree on the results.');
}

async function runOnce(layout: Layout, job: WorkersJob, events: number): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-workers-'));
  const redis = await startBenchRedis(dir);
  const workers: ChildProcess[] = [];
  const link = await RedisConnection.open({ url: redis.url, name: 'bench', clock: systemClock });
  try {
    await fill(redis.url, events);
    const jobs = new JobRegistry({
      link,
      namespace: NAMESPACE,
      clock: systemClock,
      uuid: () => randomUUID(),
    });
    for (let i = 0; i < layout.workers; i++) workers.push(startWorker(redis.url, dir, layout.slots, job));
    const parallelism = layout.workers * layout.slots;
    await jobs.change(JOB, 'start', { desired: 'running', parallelism });
    await reached(jobs, (status) => status.state === 'running' && offsets(status) > 0);
    const cpuBefore = cpuOf(workers);
    const serverBefore = redis.cpuMs();
    const begunMs = performance.now();
    const begun = offsets((await statusOf(jobs)) as JobStatus);
    await reached(jobs, (status) => offsets(status) === events);
    const share = events / (events - begun);
    const measured = {
      wallMs: (performance.now() - begunMs) * share,
      cpuMs: (cpuOf(workers) - cpuBefore) * share,
      serverCpuMs: (redis.cpuMs() - serverBefore) * share,
    };
    await jobs.request(JOB, 'stop', 'stop-with-savepoint', { drain: true });
    await reached(jobs, (status) => status.state === 'stopped');
    return { layout: layout.name, ...measured, ...(await readResults(redis.url, dir)) };
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
    link.close();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function startWorker(url: string, dir: string, slots: number, job: WorkersJob): ChildProcess {
  const module = join(import.meta.dirname, WORKERS_JOBS[job]);
  const args = ['worker', '--redis', url, '--namespace', NAMESPACE, '--slots', `${slots}`, '--job', module];
  const cli = join(import.meta.dirname, '../../ops/cli/main.mjs');
  return spawn(process.execPath, [cli, ...args], {
    stdio: 'ignore',
    env: { ...process.env, MILLRACE_DATA_DIR: dir },
  });
}

async function statusOf(jobs: JobRegistry): Promise<JobStatus | null> {
  const published = await jobs.status(JOB);
  return published === null ? null : (JSON.parse(Buffer.from(published.document).toString()) as JobStatus);
}

async function reached(jobs: JobRegistry, condition: (status: JobStatus) => boolean): Promise<void> {
  const untilMs = performance.now() + PROGRESS_TIMEOUT_MS;
  for (let last: JobStatus | null = null; ; last = await statusOf(jobs)) {
    if (last !== null && condition(last)) return;
    if (performance.now() > untilMs) {
      const failure = last?.failures[0]?.message ?? 'none';
      throw new Error(
        `The job did not get there; it is ${last?.state ?? 'unknown'}, its last failure: ${failure}`,
      );
    }
    await systemClock.sleep(50);
  }
}

function offsets({ sources }: JobStatus): number {
  return sources.reduce((sum, { offset }) => sum + offset, 0);
}

/** User and system time of processes so far, ms, from /proc: fields 14 and 15 of stat, in ticks of 10 ms. */
function cpuOf(processes: readonly ChildProcess[]): number {
  return processes.reduce((sum, { pid }) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10;
  }, 0);
}

function describe(o: Outcome, events: number): string {
  const perEvent = (ms: number) => `${((ms * 1_000) / events).toFixed(2)} µs`;
  return `${o.layout}: ${perEvent(o.cpuMs)} of worker CPU and ${perEvent(o.serverCpuMs)} of Redis CPU per reading, ${(o.wallMs / 1_000).toFixed(1)} s`;
}

/** Medians, and the worker CPU of the first layout as 1. */
function table(outcomes: readonly Outcome[], events: number): string[] {
  const medians = LAYOUTS.map(({ name }) => {
    const own = outcomes.filter(({ layout }) => layout === name);
    return { name, cpuMs: median(own.map((o) => o.cpuMs)), wallMs: median(own.map((o) => o.wallMs)) };
  });
  const first = medians[0]?.cpuMs as number;
  return medians.map(
    ({ name, cpuMs, wallMs }) =>
      `${name.padEnd(28)} ${((cpuMs * 1_000) / events).toFixed(2)} µs per reading (${(cpuMs / first).toFixed(2)} of one slot), ${Math.round(events / wallMs)} k readings per second`,
  );
}

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
