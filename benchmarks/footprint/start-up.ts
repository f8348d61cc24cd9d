import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { openRedisPartitionLog, RedisConnection, type RedisLink, systemClock } from '#engine';
import { partitionKeys } from '#wire';
import { median } from '../median.ts';
import { Measure } from '../t1/workload.ts';
import { INPUT, OUTPUT } from './copy-job.ts';
import { endProcess, type Form, startForm } from './forms.ts';
import { processTimes } from './process-figures.ts';

/** Time from starting a process to its job's first output record in the log, ms. */
export interface StartUpOutcome {
  readonly form: string;
  readonly compileCache: 'warm' | 'cold';
  readonly runsMs: readonly number[];
  readonly medianMs: number;
  /** CPU time of the process until then, all threads: what does not depend on who else uses the machine. Ticks of 10 ms. */
  readonly runsCpuMs: readonly number[];
  readonly medianCpuMs: number;
  readonly checkpointIntervalMs: number;
}

export interface StartUpOptions {
  readonly url: string;
  readonly dir: string;
  readonly forms: readonly Form[];
  /** Of each form with each cache. */
  readonly runs: number;
  /** What the topic holds. */
  readonly frames: readonly Uint8Array[];
}

const CHECKPOINT_INTERVAL_MS = 100;
const TIMEOUT_MS = 60_000;
const CACHES = ['warm', 'cold'] as const;

/** Runs every form with either cache in turn. A warm cache was filled by one run that does not count. */
export async function measureStartUp(options: StartUpOptions): Promise<StartUpOutcome[]> {
  const link = await RedisConnection.open({ url: options.url, name: 'footprint', clock: systemClock });
  const runs = options.forms.flatMap((form, f) =>
    CACHES.map((cache) => {
      const warmDir = join(options.dir, `warm-${f}`);
      mkdirSync(warmDir, { recursive: true });
      const tmpDir = () => (cache === 'warm' ? warmDir : mkdtempSync(join(options.dir, 'cold-')));
      return { form, cache, tmpDir, starts: [] as Start[] };
    }),
  );
  for (const { form, cache, tmpDir } of runs)
    if (cache === 'warm') await startOnce(form, tmpDir(), link, options);
  for (let round = 0; round < options.runs; round++)
    for (const { form, tmpDir, starts } of runs) starts.push(await startOnce(form, tmpDir(), link, options));
  link.close();
  return runs.map(({ form, cache, starts }) => ({
    form: form.name,
    compileCache: cache,
    runsMs: starts.map(({ ms }) => ms),
    medianMs: median(starts.map(({ ms }) => ms)),
    runsCpuMs: starts.map(({ cpuMs }) => cpuMs),
    medianCpuMs: median(starts.map(({ cpuMs }) => cpuMs)),
    checkpointIntervalMs: CHECKPOINT_INTERVAL_MS,
  }));
}

interface Start {
  readonly ms: number;
  readonly cpuMs: number;
}

let namespaces = 0;

async function startOnce(
  form: Form,
  tmpDir: string,
  link: RedisLink,
  { url, frames }: StartUpOptions,
): Promise<Start> {
  const namespace = `start-${namespaces++}`;
  await fillTopic(url, namespace, frames);
  const startedMs = performance.now();
  const checkpointInterval = `${CHECKPOINT_INTERVAL_MS}ms`;
  const child = startForm(form, { url, namespace, tmpDir, checkpointInterval });
  try {
    await firstEntry(link, partitionKeys(namespace, OUTPUT, 0).stream);
    return { ms: performance.now() - startedMs, cpuMs: processTimes(child).cpuMs };
  } finally {
    await endProcess(child);
  }
}

/** The topic that the job reads, in a namespace of its own. */
export async function fillTopic(
  url: string,
  namespace: string,
  frames: readonly Uint8Array[],
): Promise<void> {
  const log = await openRedisPartitionLog({ url, namespace, clock: systemClock, durability: 'process' });
  await log.createTopic(INPUT, { partitions: 1, schema: Measure, quotaBytes: 8 * 1024 ** 3 });
  for (const frame of frames) {
    const { kind } = await log.append(INPUT, 0, frame);
    if (kind !== 'ok') throw new Error(`The topic answered '${kind}'.`);
  }
  await log.close();
}

/** Resolves when a stream has an entry; the server answers the waiting read at once. */
async function firstEntry(link: RedisLink, stream: string): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  while (performance.now() < untilMs)
    if ((await link.callBuffer('XREAD', 'COUNT', 1, 'BLOCK', 1_000, 'STREAMS', stream, '0-0')) !== null)
      return;
  throw new Error(`No output came within ${TIMEOUT_MS / 1_000} s.`);
}
