import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { systemClock } from '../base/clock.ts';
import type { OpenHosts } from '../coordinator/open-hosts.ts';
import { type HostCommand, type HostPort, type HostReport } from './host-messages.ts';
import type { HostSettings } from './host-settings.ts';
import type { HostThreadData } from './host-thread.ts';
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
    hosts.map((host) => [host, startThread({ moduleUrl, settings, ports: ports.get(host) ?? [] })]),
  );
}

function startThread(data: HostThreadData): HostThread {
  const { heapMbMax } = data.settings;
  const worker = new Worker(new URL('./host-thread-entry.ts', import.meta.url), {
    workerData: data,
    transferList: data.ports.map(([, port]) => port),
    ...(heapMbMax === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMbMax } }),
  });
  let ending = false;
  let failure: unknown = null;
  worker.on('error', (error) => {
    failure = error;
  });
  const exited = new Promise<MillraceError | null>((resolve) => {
    worker.on('exit', (code) => resolve(ending ? null : threadEnded(code, failure)));
  });
  return {
    port: {
      post: (command) => worker.postMessage(command),
      listen: (arrived) => void worker.on('message', (report: HostReport) => arrived(report)),
    },
    exited,
    async end() {
      ending = true;
      worker.postMessage({ kind: 'close' } satisfies HostCommand);
      const patience = new AbortController();
      await Promise.race([exited, systemClock.sleep(LIMITS.hostClosePatienceMs, patience.signal)]);
      patience.abort();
      await worker.terminate();
    },
  };
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
      RemoteHost.open(thread.port, { ...deployment, host, places }, thread.end, (remote) => {
        void thread.exited.then((why) => why !== null && remote.lost(why));
      }),
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
