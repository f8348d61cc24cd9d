import { flushCompileCache } from 'node:module';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.ts';
import { HostExchange } from '../exchange/host-exchange.ts';
import type { PeerTransport } from '../exchange/peer-transport.ts';
import { portTransport } from '../exchange/port-transport.ts';
import { RedisTransport } from '../exchange/redis-transport.ts';
import { planExecution } from '../graph/execution-graph.ts';
import { RedisConnection } from '../redis/connection.ts';
import type { HostCommand, HostReport } from './host-messages.ts';
import type { HostDeployment } from './host-protocol.ts';
import { type HostEnvironment, type HostSettings, openHostEnvironment } from './host-settings.ts';
import { loadJob } from './load-job.ts';
import { serveHost } from './serve-host.ts';
import { TaskHost } from './task-host.ts';
import { trimHeapLater } from './trim-heap.ts';

/** What a host's thread is started with. */
export interface HostThreadStart {
  /** Modules that the code of jobs is likely to import. */
  readonly preload: readonly string[];
}

/** What it is told first: which host it is. */
export interface HostThreadData {
  readonly moduleUrl: string;
  readonly settings: HostSettings;
  /** To the hosts in other threads of this process; all others are reached through Redis. */
  readonly ports: readonly (readonly [host: number, port: MessagePort])[];
}

/** The thread of one host: one attempt, then it ends, so that nothing of a job's code outlives it. */
async function main(port: MessagePort, data: HostThreadData): Promise<void> {
  const closing: (() => Promise<unknown> | void)[] = [];
  const served = serveHost(
    {
      post: (report: HostReport) => port.postMessage(report),
      listen: (arrived) => void port.on('message', (command: HostCommand) => arrived(command)),
    },
    systemClock,
    (deployment) => openHost(data, deployment, closing),
  );
  await served;
  for (const close of closing.reverse()) await close();
  process.exit(0); // of the thread alone: what the job's code has left open does not keep it
}

async function openHost(
  { moduleUrl, settings, ports }: HostThreadData,
  deployment: HostDeployment,
  closing: (() => Promise<unknown> | void)[],
): Promise<TaskHost> {
  const [job, opened] = await Promise.all([
    loadJob(moduleUrl, settings, deployment.job),
    openHostEnvironment(settings, deployment),
  ]);
  closing.push(opened.close);
  const graph = planExecution(job.graph({ parallelism: deployment.parallelism }));
  let host: TaskHost | null = null;
  const exchange = new HostExchange({
    graph,
    host: deployment.host,
    places: deployment.places,
    peers: await openPeers(ports, deployment, opened, closing),
    wake: () => host?.wake(),
  });
  const { environment, store } = opened;
  host = await TaskHost.open({ graph, deployment, environment, store, exchange });
  flushCompileCache();
  return host;
}

async function openPeers(
  ports: HostThreadData['ports'],
  deployment: HostDeployment,
  { environment }: HostEnvironment,
  closing: (() => Promise<unknown> | void)[],
): Promise<ReadonlyMap<number, PeerTransport>> {
  const peers = new Map<number, PeerTransport>(ports.map(([host, port]) => [host, portTransport(port)]));
  const { host, job, generation } = deployment;
  const elsewhere = [...new Set(deployment.places)].filter((place) => place !== host && !peers.has(place));
  if (elsewhere.length === 0) return peers;
  const { redisUrl: url = '', namespace, clock } = environment;
  const open = (name: string) => RedisConnection.open({ url, name: `millrace:${namespace}:${name}`, clock });
  const [link, readLink] = await Promise.all([open('exchange'), open('exchange-read')]);
  const options = { namespace, job, generation, host, peers: elsewhere, link, readLink, clock };
  const transport = new RedisTransport(options);
  closing.push(() => {
    transport.close();
    link.close();
    readLink.close();
  });
  return new Map([...peers, ...transport.peers]);
}

if (parentPort !== null) {
  const port = parentPort;
  await Promise.all((workerData as HostThreadStart).preload.map((name) => import(import.meta.resolve(name))));
  flushCompileCache();
  trimHeapLater(systemClock);
  port.once('message', (data: HostThreadData) => void main(port, data));
}
