import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { JobRegistry, type JobStatus, RedisConnection, systemClock } from '#engine';
import type { EngineMessage, EngineReport } from './engine.ts';
import { type LatencySettings, NAMESPACE } from './settings.ts';

/** The job in a process of its own, running. */
export interface RunningEngine {
  readonly pid: number;
  readonly measureFrom: (atMs: number) => void;
  readonly measureTo: (atMs: number) => void;
  /** Stops the job, once it has read so many records, with a last checkpoint. Null where the engine runs untouched and nothing of its inside can be seen. */
  readonly stop: (records: number) => Promise<EngineReport | null>;
  readonly kill: () => void;
}

/** One subtask: the job's runner in one thread, with stages traced. More: a worker of the command line, as it is. */
export function startEngine(settings: LatencySettings): Promise<RunningEngine> {
  return settings.parallelism === 1 ? startTraced(settings) : startWorker(settings);
}

async function startTraced(settings: LatencySettings): Promise<RunningEngine> {
  const child = fork(join(import.meta.dirname, 'engine.ts'), [JSON.stringify(settings)]);
  await message(child, 'ready');
  return {
    pid: child.pid as number,
    measureFrom: (atMs) => child.send({ kind: 'from', atMs }),
    measureTo: (atMs) => child.send({ kind: 'to', atMs }),
    async stop(records) {
      const stopped = message(child, 'stopped');
      child.send({ kind: 'stop', records });
      return (await stopped).report;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** @throws when the process ends, or tells that it failed, instead */
function message<K extends EngineMessage['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<EngineMessage, { readonly kind: K }>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`The engine ended with code ${code}.`));
    child.once('exit', onExit);
    child.on('message', (got: EngineMessage) => {
      if (got.kind === 'failed') reject(new Error(`The job failed: ${got.message}`));
      if (got.kind !== kind) return;
      child.off('exit', onExit);
      resolve(got as Extract<EngineMessage, { readonly kind: K }>);
    });
  });
}

const JOB = 'device-telemetry';
const STATE_TIMEOUT_MS = 60_000;

async function startWorker({ url, dataDir, parallelism }: LatencySettings): Promise<RunningEngine> {
  const root = join(import.meta.dirname, '../..');
  const job = join(root, 'jobs/device-telemetry/index.ts');
  const where = ['--redis', url, '--namespace', NAMESPACE];
  const args = ['worker', ...where, '--slots', `${parallelism}`, '--job', job];
  const child = spawn(process.execPath, [join(root, 'ops/cli/main.mjs'), ...args], {
    stdio: 'ignore',
    env: { ...process.env, MILLRACE_DATA_DIR: dataDir },
  });
  const link = await RedisConnection.open({ url, name: 'latency', clock: systemClock });
  const jobs = new JobRegistry({ link, namespace: NAMESPACE, clock: systemClock, uuid: () => randomUUID() });
  await jobs.change(JOB, 'start', { desired: 'running', parallelism });
  await reached(jobs, ({ state, parallelism: now }) => state === 'running' && now === parallelism);
  return {
    pid: child.pid as number,
    measureFrom: () => {},
    measureTo: () => {},
    async stop(records) {
      await reached(jobs, ({ sources }) => sources.reduce((sum, { offset }) => sum + offset, 0) >= records);
      await jobs.request(JOB, 'stop', 'stop-with-savepoint', {});
      await reached(jobs, ({ state }) => state === 'stopped');
      link.close();
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
      return null;
    },
    kill: () => {
      link.close();
      child.kill('SIGKILL');
    },
  };
}

async function reached(jobs: JobRegistry, condition: (status: JobStatus) => boolean): Promise<void> {
  const untilMs = performance.now() + STATE_TIMEOUT_MS;
  for (;;) {
    const published = await jobs.status(JOB);
    const status =
      published === null ? null : (JSON.parse(Buffer.from(published.document).toString()) as JobStatus);
    if (status !== null && condition(status)) return;
    if (performance.now() > untilMs)
      throw new Error(
        `The job did not get there; it is ${status?.state ?? 'unknown'}, its last failure: ${status?.failures[0]?.message ?? 'none'}`,
      );
    await systemClock.sleep(50);
  }
}
