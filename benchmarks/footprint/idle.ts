import { type ChildProcess, spawn } from 'node:child_process';
import { LIMITS, RedisConnection, systemClock } from '#engine';
import { endProcess, type Form, startForm } from './forms.ts';
import { processMemory, processTimes } from './process-figures.ts';
import { fillTopic } from './start-up.ts';

/** Resident memory of a process with an idle job, and beyond that of a bare Node process of the same version, MiB. */
export interface IdleOutcome {
  readonly form: string;
  readonly rssMiB: number;
  readonly bareRssMiB: number;
  readonly beyondBareMiB: number;
  readonly threads: number;
  readonly bareThreads: number;
  /** In the idle time, all threads. */
  readonly cpuShare: number;
}

export interface IdleOptions {
  readonly url: string;
  readonly dir: string;
  readonly forms: readonly Form[];
  readonly idleSeconds: number;
}

const READER = /name=millrace-read/g;
const START_TIMEOUT_MS = 60_000;
const SPARES_LOAD_MS = 5_000;

/**
 * Every form with a job whose topic is empty, and a process that only keeps a timer, side by side. What they load was compiled by a run before,
 * which lasts until spare threads have loaded their part: otherwise each thread would hold the stripper of types as well.
 */
export async function measureIdle({ url, dir, forms, idleSeconds }: IdleOptions): Promise<IdleOutcome[]> {
  const children: ChildProcess[] = [];
  const start = async (form: Form, namespace: string) => {
    await fillTopic(url, namespace, []);
    children.push(startForm(form, { url, namespace, tmpDir: dir, checkpointInterval: '5s' }));
  };
  try {
    for (const form of forms) {
      await start(form, `warm-${form.id}`);
      await readersOpen(url, 1);
      if (form.id === 'worker') await systemClock.sleep(LIMITS.spareThreadsAfterMs + SPARES_LOAD_MS);
      for (const child of children.splice(0)) await endProcess(child);
    }
    for (const form of forms) await start(form, `idle-${form.id}`);
    await readersOpen(url, forms.length);
    const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], {
      stdio: 'ignore',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    children.push(bare);
    const before = children.map((child) => processTimes(child).cpuMs);
    await systemClock.sleep(idleSeconds * 1_000);
    const after = children.map((child) => processTimes(child).cpuMs);
    const alone = processMemory(bare);
    return forms.map((form, f) => {
      const { rssMiB, threads } = processMemory(children[f] as ChildProcess);
      return {
        form: form.name,
        rssMiB,
        bareRssMiB: alone.rssMiB,
        beyondBareMiB: rssMiB - alone.rssMiB,
        threads,
        bareThreads: alone.threads,
        cpuShare: ((after[f] as number) - (before[f] as number)) / 1_000 / idleSeconds,
      };
    });
  } finally {
    for (const child of children) await endProcess(child);
  }
}

/** A job runs when the reader of its source has connected. */
async function readersOpen(url: string, count: number): Promise<void> {
  const link = await RedisConnection.open({ url, name: 'footprint', clock: systemClock });
  const untilMs = performance.now() + START_TIMEOUT_MS;
  try {
    while ((String(await link.call('CLIENT', 'LIST')).match(READER)?.length ?? 0) < count) {
      if (performance.now() > untilMs)
        throw new Error(`Not every job runs after ${START_TIMEOUT_MS / 1_000} s.`);
      await systemClock.sleep(50);
    }
  } finally {
    link.close();
  }
}
