import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, type ClusterWorker, errorText, type JobSupervisor, MillraceError } from '#engine';

export interface ProbeOptions {
  readonly worker: Pick<ClusterWorker, 'id' | 'used'>;
  readonly supervisor: Pick<JobSupervisor, 'jobs'>;
  readonly slots: number;
  readonly port: number;
  readonly address: string;
  readonly clock: Clock;
}

export interface Probes {
  readonly port: number;
  readonly close: () => void;
}

/**
 * Serves what an orchestrator asks of a worker: `/livez` (this answers), `/readyz` (it is registered; 503 while Redis has not heard of
 * it) and `/metrics` in Prometheus' text format.
 * @throws MR_OPS_START when the port cannot be had
 */
export async function openProbes(options: ProbeOptions): Promise<Probes> {
  const { port, address } = options;
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'GET only\n');
    if (path === '/livez') return answer(response, 200, 'live\n');
    if (path === '/metrics') return answer(response, 200, metricsText(options), METRICS);
    if (path !== '/readyz') return answer(response, 404, '/livez, /readyz or /metrics\n');
    const { id } = options.worker;
    return id === null
      ? answer(response, 503, 'not registered\n')
      : answer(response, 200, `ready as ${id}\n`);
  });
  try {
    server.listen(port, address);
    await once(server, 'listening');
  } catch (error) {
    throw new MillraceError(
      'MR_OPS_START',
      `Probes cannot be served at ${address}:${port}: ${errorText(error)}. Choose another --port.`,
      { cause: error },
    );
  }
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

function metricsText({ worker, supervisor, slots, clock }: ProbeOptions): string {
  const { rss } = process.memoryUsage();
  const gauges = [
    ['millrace_worker_registered', 'Whether the worker is registered', worker.id === null ? 0 : 1],
    ['millrace_worker_slots', 'Slots that the worker offers', slots],
    ['millrace_worker_slots_used', 'Slots that jobs use', worker.used],
    ['millrace_worker_jobs_coordinated', 'Jobs that the process coordinates', supervisor.jobs.length],
    ['millrace_worker_resident_memory_bytes', 'Resident memory of the worker process', rss],
    ['millrace_worker_uptime_seconds', 'Time since the process started', clock.monotonic() / 1_000],
  ] as const;
  return gauges
    .map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`)
    .join('');
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type }).end(text);
}
