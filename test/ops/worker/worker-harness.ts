import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import {
  JobRegistry,
  type LivingWorker,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  systemClock,
  WorkerRegistry,
} from '#engine';
import { readStatus, type StatusDocument } from '../../../ops/commands/status-document.ts';
import { Event, Total } from '../../engine/host/counting-job.ts';
import { createJobBench, until } from '../../support/job-bench.ts';

const MAIN = fileURLToPath(new URL('../../../ops/cli/main.mjs', import.meta.url));

/** A namespace with real worker processes, driven by the program. */
export interface Workers {
  readonly namespace: string;
  readonly log: PartitionLog;
  readonly jobs: JobRegistry;
  /** Starts a worker process and resolves when it is ready. */
  readonly start: (...args: string[]) => Promise<WorkerChild>;
  readonly living: () => Promise<readonly LivingWorker[]>;
  /** Runs the program to its end. */
  readonly cli: (...args: string[]) => Promise<Ran>;
  readonly status: (job?: string) => Promise<StatusDocument | null>;
  /** `count` events from second `from` on, `KEYS` keys. */
  readonly feed: (from: number, count: number) => Promise<void>;
  /** Resolves when the job has read so many records. */
  readonly read: (records: number, job?: string) => Promise<void>;
  /** Records in windows and in the late stream; a window that is given twice throws. */
  readonly counted: () => Promise<number>;
}

export interface WorkerChild {
  readonly pid: number;
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

const KEYS = 50;

export async function openWorkers(
  test: Test,
  url: string,
  namespace: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Workers> {
  const link = await RedisConnection.open({ url, name: 'harness', clock: systemClock });
  const log = await openRedisPartitionLog({ url, namespace, clock: systemClock, durability: 'process' });
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const jobs = new JobRegistry(cluster);
  const children: ChildProcess[] = [];
  const program = (...args: string[]) => {
    const all = [MAIN, ...args, '--redis', url, '--namespace', namespace];
    const child = spawn(process.execPath, all, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    children.push(child);
    return child;
  };
  test.teardown(async () => {
    for (const child of children) child.kill('SIGKILL');
    await log.close();
    link.close();
  });
  const { feed, read } = createJobBench({ log });
  const status = (job = 'counting') => readStatus(jobs, job);
  return {
    namespace,
    log,
    jobs,
    status,
    start: (...args) => startWorker(program('worker', ...args)),
    living: () => new WorkerRegistry(cluster).list(),
    cli: (...args) => ran(program(...args)),
    feed: (from, count) => feed('events', Event, events(from, count), { partitions: 4 }),
    async read(records, job) {
      const hasRead = async () => {
        const { state, sources = [] } = (await status(job)) ?? { state: '' };
        return state === 'running' && sources.reduce((sum, { offset }) => sum + offset, 0) === records;
      };
      await until(hasRead, `${records} records read`, 25_000).catch(async (error: Error) => {
        throw new Error(`${error.message}; the job is ${JSON.stringify(await status(job)).slice(0, 2_000)}`);
      });
    },
    async counted() {
      const rows = await read('totals', Total);
      const late = await read('late', Event);
      const seen = new Set(rows.map(({ key, at }) => `${key}@${at}`));
      if (seen.size !== rows.length) throw new Error(`${rows.length - seen.size} windows were given twice`);
      return rows.reduce((sum, row) => sum + row.count, late.length);
    },
  };
}

function events(from: number, count: number): Event[] {
  return Array.from({ length: count }, (_, i) => ({
    at: (from + Math.floor((i * 10) / count)) * 1_000 + (i % 1_000),
    key: `key-${i % KEYS}`,
    n: 1,
  }));
}

async function startWorker(child: ChildProcess): Promise<WorkerChild> {
  let output = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    output += String(bytes);
  });
  child.stderr?.on('data', (bytes: Buffer) => {
    output += String(bytes);
  });
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}: ${output}`);
      return output.includes('Worker ready');
    },
    'a worker is ready',
    20_000,
  );
  return { pid: child.pid as number, output: () => output, kill: (signal) => void child.kill(signal), ended };
}

async function ran(child: ChildProcess): Promise<Ran> {
  let [out, error] = ['', ''];
  child.stdout?.on('data', (bytes: Buffer) => {
    out += String(bytes);
  });
  child.stderr?.on('data', (bytes: Buffer) => {
    error += String(bytes);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, error };
}
