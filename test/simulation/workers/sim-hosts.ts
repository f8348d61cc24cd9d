import { MillraceError, openRedisCheckpointStore, openRedisPartitionLog, planExecution } from '#engine';
import type { HostsStart } from '../../../engine/cluster/worker-messages.ts';
import { HostExchange } from '../../../engine/exchange/host-exchange.ts';
import type { ExchangePart, PeerTransport } from '../../../engine/exchange/peer-transport.ts';
import { RedisTransport } from '../../../engine/exchange/redis-transport.ts';
import type { HostCommand, HostReport } from '../../../engine/host/host-messages.ts';
import type { HostDeployment } from '../../../engine/host/host-protocol.ts';
import { serveHost } from '../../../engine/host/serve-host.ts';
import { TaskHost } from '../../../engine/host/task-host.ts';
import type { HostThread } from '../../../engine/host/thread-hosts.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { SimProcess } from '../process.ts';
import { NAMESPACE } from '../simulated-job.ts';
import { type SimPort, simPorts } from './sim-port.ts';
import type { WorkersWorld } from './workers-world.ts';

/** What a job's hosts are in this simulation: threads of a worker's process, as `startHostThreads` makes them of a real one. */
export function startSimHosts(
  world: WorkersWorld,
  worker: SimProcess,
  { generation, hosts }: HostsStart,
): ReadonlyMap<number, HostThread> {
  const { kernel } = world;
  const threads = new Map(hosts.map((host) => [host, worker.thread(`g${generation}h${host}`)]));
  const peers = new Map<number, Map<number, PeerTransport>>(hosts.map((host) => [host, new Map()]));
  for (const [i, a] of hosts.entries()) {
    if (world.isAllThroughRedis) break;
    for (const b of hosts.slice(i + 1)) {
      const ends = simPorts<Parts, Parts>(kernel, threads.get(a) as SimProcess, threads.get(b) as SimProcess);
      peers.get(a)?.set(b, peerOf(ends[0]));
      peers.get(b)?.set(a, peerOf(ends[1]));
    }
  }
  return new Map(
    [...threads].map(([host, thread]) => [
      host,
      startThread(world, worker, thread, peers.get(host) ?? new Map()),
    ]),
  );
}

type Parts = readonly ExchangePart[];
type Closing = (() => Promise<unknown> | void)[];

function peerOf(port: SimPort<Parts, Parts>): PeerTransport {
  return {
    failed: new Promise<never>(() => {}),
    send: (parts) => port.post(parts),
    listen: (arrived) => port.listen(arrived),
    close: () => Promise.resolve(),
  };
}

function startThread(
  world: WorkersWorld,
  worker: SimProcess,
  thread: SimProcess,
  peers: ReadonlyMap<number, PeerTransport>,
): HostThread {
  const exited = Promise.withResolvers<MillraceError | null>();
  const [outer, inner] = simPorts<HostCommand, HostReport>(world.kernel, worker, thread);
  let ending = false;
  thread.onKill(() =>
    worker.schedule(0.1, 'thread exit', () => exited.resolve(ending ? null : threadEnded())),
  );
  thread.start('host', async () => {
    const closing: Closing = [];
    const open = (deployment: HostDeployment) => openHost(world, thread, deployment, { peers, closing });
    await serveHost(inner, thread.clock, open);
    for (const close of closing.reverse()) await close();
    thread.kill();
  });
  return {
    port: outer,
    exited: exited.promise,
    async end() {
      ending = true;
      outer.post({ kind: 'close' });
      const patience = new AbortController();
      await Promise.race([exited.promise, worker.clock.sleep(LIMITS.hostClosePatienceMs, patience.signal)]);
      patience.abort();
      thread.kill();
    },
  };
}

async function openHost(
  world: WorkersWorld,
  thread: SimProcess,
  deployment: HostDeployment,
  { peers, closing }: { readonly peers: ReadonlyMap<number, PeerTransport>; readonly closing: Closing },
): Promise<TaskHost> {
  const { clock, random, uuid } = thread;
  const shared = world.sharedOptions(thread);
  const [log, store] = await Promise.all([
    openRedisPartitionLog(shared).then(world.openedLog),
    openRedisCheckpointStore({ ...shared, uuid }).then(world.openedStore),
  ]);
  const ending = new AbortController();
  closing.push(async () => {
    ending.abort();
    await Promise.allSettled([log.close(), store.close()]);
  });
  const graph = planExecution(world.graph(deployment.parallelism, thread));
  let host: TaskHost | null = null;
  const exchange = new HostExchange({
    graph,
    host: deployment.host,
    places: deployment.places,
    peers: await openPeers(world, thread, deployment, { peers, closing }),
    wake: () => host?.wake(),
  });
  host = await TaskHost.open({
    graph,
    deployment,
    store,
    exchange,
    environment: {
      job: deployment.job,
      namespace: NAMESPACE,
      generation: deployment.generation,
      redisUrl: shared.url,
      openLink: shared.openLink,
      log,
      clock,
      random,
      uuid,
      signal: ending.signal,
      killPoint: () => {},
    },
  });
  world.openedHost(thread, deployment, host);
  return host;
}

async function openPeers(
  world: WorkersWorld,
  thread: SimProcess,
  { host, job, generation, places }: HostDeployment,
  { peers, closing }: { readonly peers: ReadonlyMap<number, PeerTransport>; readonly closing: Closing },
): Promise<ReadonlyMap<number, PeerTransport>> {
  const elsewhere = [...new Set(places)].filter((place) => place !== host && !peers.has(place));
  if (elsewhere.length === 0) return peers;
  const { openLink, clock } = world.sharedOptions(thread);
  const open = (name: string) => openLink({ url: 'simulated', name, clock });
  const [link, readLink] = await Promise.all([open('exchange'), open('exchange-read')]);
  const options = { namespace: NAMESPACE, job, generation, host, peers: elsewhere, link, readLink, clock };
  const transport = new RedisTransport(options);
  closing.push(() => {
    transport.close();
    link.close();
    readLink.close();
  });
  return new Map([...peers, ...transport.peers]);
}

function threadEnded(): MillraceError {
  return new MillraceError('MR_HOST_LOST', 'A simulated thread of the job has ended by itself.');
}
