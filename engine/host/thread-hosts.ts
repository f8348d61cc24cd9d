import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { systemClock } from '../base/clock.ts';
import type { OpenHosts } from '../coordinator/open-hosts.ts';
import { type HostCommand, type HostPort, type HostReport } from './host-messages.ts';
import type { HostSettings } from './host-settings.ts';
import type { HostThreadData, HostThreadStart } from './host-thread.ts';
import { RemoteHost } from './remote-host.ts';

/** A thread that will be one host. */
export interface HostThread {
  readonly port: HostPort<HostCommand, HostReport>;
  /** Resolves with why when the thread has ended; null after {@link end}. */
  readonly exited: Promise<MillraceError | null>;
  /** Ends it: in good order when that does not take too long. */
  readonly end: () => Promise<void>;
}

/** Starts one thread per host of this process, each with a port to each other one. */
export function startHostThreads(
  moduleUrl: string,
  settings: HostSettings,
  hosts: readonly number[],
  spares?: SpareThreads,
): ReadonlyMap<number, HostThread> {
  const ports = new Map<number, [number, MessagePort][]>(hosts.map((host) => [host, []]));
  for (const [i, a] of hosts.entries()) {
    for (const b of hosts.slice(i + 1)) {
      const { port1, port2 } = new MessageChannel();
      ports.get(a)?.push([b, port1]);
      ports.get(b)?.push([a, port2]);
    }
  }
  return new Map(
    hosts.map((host) => {
      const thread = spares?.take() ?? new HostWorker(settings.heapMbMax);
      thread.begin({ moduleUrl, settings, ports: ports.get(host) ?? [] });
      return [host, thread];
    }),
  );
}

/** A thread that becomes a host when it is told which. */
class HostWorker implements HostThread {
  readonly exited: Promise<MillraceError | null>;
  readonly port: HostThread['port'];
  readonly #worker: Worker;
  #ending = false;

  constructor(heapMbMax: number | undefined, data: HostThreadStart = { preload: [] }) {
    this.#worker = new Worker(new URL('./host-thread-entry.mjs', import.meta.url), {
      workerData: data,
      ...(heapMbMax === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMbMax } }),
    });
    const worker = this.#worker;
    let failure: unknown = null;
    worker.on('error', (error) => {
      failure = error;
    });
    this.exited = new Promise((resolve) => {
      worker.on('exit', (code) => resolve(this.#ending ? null : threadEnded(code, failure)));
    });
    this.port = {
      post: (command) => worker.postMessage(command),
      listen: (arrived) => void worker.on('message', (report: HostReport) => arrived(report)),
    };
  }

  begin(data: HostThreadData): void {
    this.#worker.postMessage(
      data,
      data.ports.map(([, port]) => port),
    );
  }

  async end(): Promise<void> {
    this.port.post({ kind: 'close' });
    const patience = new AbortController();
    this.#ending = true;
    await Promise.race([this.exited, systemClock.sleep(LIMITS.hostClosePatienceMs, patience.signal)]);
    patience.abort();
    await this.terminate();
  }

  async terminate(): Promise<void> {
    this.#ending = true;
    await this.#worker.terminate();
  }
}

/**
 * Threads that have loaded Millrace and wait to be hosts, so that a job that restarts need not wait for that: about 200 ms of CPU and
 * 25 MB each. What is taken is made up for later, when the restart is over.
 */
export class SpareThreads {
  readonly #count: number;
  readonly #heapMbMax: number | undefined;
  readonly #spare = new Set<HostWorker>();
  #cancelRefill: (() => void) | null = null;
  #closed = false;

  constructor(settings: HostSettings, slots: number) {
    this.#count = Math.min(slots, LIMITS.spareThreadsMax);
    this.#heapMbMax = settings.heapMbMax;
    this.#refillLater();
  }

  take(): HostWorker | null {
    this.#refillLater();
    const [thread] = this.#spare;
    if (thread === undefined) return null;
    this.#spare.delete(thread);
    return thread;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRefill?.();
    await Promise.all([...this.#spare].map((thread) => thread.terminate()));
  }

  #refillLater(inMs: number = LIMITS.spareThreadsAfterMs): void {
    if (this.#closed) return;
    this.#cancelRefill?.();
    this.#cancelRefill = systemClock.after(inMs, () => this.#refill());
  }

  /** One after another: jobs that have restarted catch up meanwhile. */
  #refill(): void {
    if (this.#spare.size >= this.#count) return;
    const thread = new HostWorker(this.#heapMbMax, { preload: ['millrace', '#sinks'] });
    this.#spare.add(thread);
    void thread.exited.then(() => this.#spare.delete(thread));
    this.#refillLater(LIMITS.spareThreadsEveryMs);
  }
}

/** A job's slots on so many threads of this process; the coordinator stays in this one. */
export function hostsInThreads(moduleUrl: string, settings: HostSettings, threads: number): OpenHosts {
  return async ({ deployment }) => {
    const count = Math.min(threads, deployment.parallelism);
    const places = Array.from({ length: deployment.parallelism }, (_, slot) => slot % count);
    const started = startHostThreads(
      moduleUrl,
      settings,
      Array.from({ length: count }, (_, host) => host),
    );
    const opening = [...started].map(([host, thread]) =>
      RemoteHost.open(
        thread.port,
        { ...deployment, host, places },
        () => thread.end(),
        (remote) => {
          void thread.exited.then((why) => why !== null && remote.lost(why));
        },
      ),
    );
    const settled = await Promise.allSettled(opening);
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed === undefined) return Promise.all(opening);
    await Promise.all(settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.close()] : [])));
    throw failed.reason;
  };
}

function threadEnded(code: number, failure: unknown): MillraceError {
  const why = failure instanceof Error ? failure.message : `exit code ${code}`;
  return new MillraceError('MR_HOST_LOST', `A thread of the job has ended by itself: ${why}.`, {
    cause: failure,
  });
}
