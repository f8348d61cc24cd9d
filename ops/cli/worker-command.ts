import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Durability, MillraceError } from '#engine';
import { startWorker, type WorkerSettings } from '../worker/worker-process.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { stopRequested } from './stop-requested.ts';
import { wholeNumber } from './whole-number.ts';

const DRAIN_SECONDS = 25;

export const workerCommand: Command = {
  summary: 'run a worker: offers slots to jobs and coordinates them',
  help: `Usage: millrace worker [options]

Runs until SIGTERM or SIGINT, on which its slots move to other workers, each with a checkpoint; a second signal ends it at once.

  --slots <n>          subtasks that it runs at a time, each in a thread; default: cores (${availableParallelism()})
  --job <file>         run the job of this module without deploying it; may be repeated. Every worker needs the same ones.
  --durability <d>     what Redis must have confirmed: process (default), disk or replicated
  --replicas <n>       replicas that must have confirmed, for replicated; default 1
  --heap <mb>          JavaScript heap of one slot's thread at most
  --drain <s>          how long to wait for slots to move when told to stop; default ${DRAIN_SECONDS}
  --port <n>           serve /livez, /readyz and /metrics there
  --address <a>        address for that; default 127.0.0.1
${CONNECTION_HELP}`,
  async run(args) {
    const settings = readSettings(args);
    const stop = stopRequested();
    const worker = await startWorker(settings, (line) => process.stderr.write(`${line}\n`));
    await stop;
    process.stderr.write('Stopping: slots move to other workers. Once more to stop at once.\n');
    await worker.stop();
    return 0;
  },
};

function readSettings(args: readonly string[]): WorkerSettings {
  const { values } = readArguments(args, 0, {
    ...CONNECTION_OPTIONS,
    slots: { type: 'string', default: String(availableParallelism()) },
    job: { type: 'string', multiple: true, default: [] },
    durability: { type: 'string', default: 'process' },
    replicas: { type: 'string' },
    heap: { type: 'string' },
    drain: { type: 'string', default: String(DRAIN_SECONDS) },
    port: { type: 'string' },
    address: { type: 'string', default: '127.0.0.1' },
  });
  const durability = durabilityOf(values.durability);
  const { replicas, heap, port } = values;
  return {
    ...connectionOf(values),
    durability,
    slots: wholeNumber(values.slots, '--slots', 1, 1_024),
    drainMs: wholeNumber(values.drain, '--drain', 0, 86_400) * 1_000,
    modules: values.job.map(moduleUrl),
    port: port === undefined ? null : wholeNumber(port, '--port', 0, 65_535),
    address: values.address,
    ...(replicas === undefined ? {} : { replicas: wholeNumber(replicas, '--replicas', 1, 100) }),
    ...(heap === undefined ? {} : { heapMbMax: wholeNumber(heap, '--heap', 16, 1_048_576) }),
  };
}

function durabilityOf(text: string): Durability {
  if (text === 'process' || text === 'disk' || text === 'replicated') return text;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `--durability must be process, disk or replicated, not '${text}'.`,
  );
}

function moduleUrl(file: string): string {
  const path = resolve(file);
  if (existsSync(path)) return pathToFileURL(path).href;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `There is no job module ${path}. Give --job an existing file.`,
  );
}
