import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '#engine';
import type { ChaosServers } from './chaos-servers.ts';
import type { DataServer } from './data-server.ts';
import type { FaultKind, PlannedFault } from './fault-plan.ts';
import type { Feeders } from './feeders.ts';
import type { JobClient } from './job-client.ts';
import type { ChaosNetwork } from './network.ts';
import type { FleetWorker, WorkerFleet } from './worker-fleet.ts';

/** What faults are done to. */
export interface Stage {
  readonly servers: ChaosServers;
  readonly network: ChaosNetwork;
  readonly workers: WorkerFleet;
  readonly feeders: Feeders;
  readonly job: JobClient;
  /** Parallelisms that the job is moved between. */
  readonly parallelism: readonly [low: number, high: number];
}

/** What has been done, when it was healed. */
export interface Injection {
  /** For people. */
  readonly what: string;
  /** From the loss of a primary to the moment that another had its place. */
  readonly detectionMs: number | null;
  /** When it began to hurt, ms of performance.now(); default: when it was injected. */
  readonly beganMs?: number;
}

/** Carries out a fault and heals it. Null: not possible here, and why. */
export async function inject(
  stage: Stage,
  fault: PlannedFault,
): Promise<(Injection & { readonly beganMs: number }) | { readonly skipped: string }> {
  await sleep(fault.delayMs);
  const beganMs = performance.now();
  const injected = await INJECT[fault.kind](stage, fault.pick);
  return 'skipped' in injected ? injected : { beganMs, ...injected };
}

type Inject = (stage: Stage, pick: number) => Promise<Injection | { readonly skipped: string }>;

/** A frozen or unreachable worker is given up, and its jobs have another coordinator, before it comes back. */
const AWAY_MS = LIMITS.workerExpiryMs + LIMITS.leaseTtlMs + 1_500;
/** Until whoever keeps processes running has started a dead one again. */
const RESTART_MS_MAX = 1_000;
const DISK_FULL_MS = 3_000;
const COMMAND_MS = 90_000;

const INJECT: Readonly<Record<FaultKind, Inject>> = {
  'worker-kill': async (stage, pick) => {
    const coordinator = await stage.job.coordinatorPid(); // a kind by itself: its lease has to run out
    const others = stage.workers.present.filter(({ process: { pid } }) => pid !== coordinator);
    const worker = picked(others, pick);
    return worker === null ? { skipped: 'no worker' } : killAndRestart(stage, [worker], pick);
  },
  'worker-kill-coordinator': async (stage, pick) => {
    const pid = await stage.job.coordinatorPid();
    const worker = pid === null ? undefined : stage.workers.byPid(pid);
    return worker === undefined ? { skipped: 'no coordinator' } : killAndRestart(stage, [worker], pick);
  },
  'worker-kill-all': (stage, pick) => killAndRestart(stage, stage.workers.running, pick),
  'worker-freeze': async ({ workers }, pick) => {
    const worker = picked(workers.present, pick);
    if (worker === null) return { skipped: 'no worker' };
    worker.absent = true;
    worker.process.signal('SIGSTOP');
    await sleep(AWAY_MS + pick * 2_000);
    worker.process.signal('SIGCONT');
    worker.absent = false;
    return done(`worker in place ${worker.place} frozen and thawed`);
  },
  'worker-cut-off': async ({ workers, network }, pick) => {
    if (network.noCables !== null) return { skipped: `network namespaces: ${network.noCables}` };
    const worker = picked(workers.present, pick);
    if (worker === null) return { skipped: 'no worker' };
    worker.absent = true;
    network.cut(worker.place);
    await sleep(AWAY_MS + pick * 4_000);
    network.mend(worker.place);
    worker.absent = false;
    return done(`worker in place ${worker.place} cut off and back`);
  },
  'worker-leave': async ({ workers }, pick) => {
    const worker = picked(workers.present, pick);
    if (worker === null) return { skipped: 'no worker' };
    workers.start();
    await sleep(2_000);
    const beganMs = performance.now();
    const how = await workers.leave(worker);
    return { ...done(`worker in place ${worker.place} replaced in good order (${how})`), beganMs };
  },
  'worker-join': async ({ workers }, pick) => {
    const extra = workers.start();
    if (extra === null) return { skipped: 'no free place' };
    await sleep(4_000);
    const worker =
      picked(
        workers.present.filter((one) => one !== extra),
        pick,
      ) ?? extra;
    const beganMs = performance.now();
    await workers.kill(worker);
    return { ...done(`a worker joined, the one in place ${worker.place} was killed`), beganMs };
  },
  'feeder-kill': async ({ feeders }, pick) => {
    await feeders.kill(Math.floor(pick * feeders.workload.feeders));
    return done('a feeder killed');
  },
  'connections-kill': async ({ servers }) => {
    const running = servers.all.filter(({ running: runs }) => runs);
    await Promise.all(running.map((server) => server.ask('CLIENT', 'KILL', 'TYPE', 'normal')));
    return done('all connections killed');
  },
  'connections-kill-some': async ({ servers }, pick) => {
    const killed = await Promise.all(servers.all.map((server) => killByName(server, pick)));
    return done(`${killed.reduce((sum, n) => sum + n, 0)} connections of one name killed`);
  },
  'redis-restart': (stage, pick) => restartServer(stage, pick, 'SIGTERM'),
  'redis-kill-restart': (stage, pick) => restartServer(stage, pick, 'SIGKILL'),
  'primary-kill': (stage, pick) => loseServer(stage, pick, 'kill'),
  'primary-freeze': (stage, pick) => loseServer(stage, pick, 'freeze'),
  'fail-over': async ({ servers }, pick) => {
    if (servers.failOver === null) return { skipped: 'no replica' };
    const primary = await primaryOf(servers, pick);
    const beganMs = performance.now();
    await servers.failOver(primary);
    return { what: `fail-over of ${primary.port} by command`, detectionMs: performance.now() - beganMs };
  },
  'replica-kill': async ({ servers }, pick) => {
    await servers.settled();
    const primaries = new Set(await servers.primaries());
    const replica = picked(
      servers.all.filter((server) => !primaries.has(server)),
      pick,
    );
    if (replica === null) return { skipped: 'no replica' };
    await replica.kill();
    await sleep(1_000 + pick * 2_000);
    await servers.rejoin(replica);
    return done(`replica ${replica.port} killed and back`);
  },
  'disk-full': async ({ servers }) => {
    const { disk, all } = servers;
    if ('none' in disk) return { skipped: disk.none };
    const [server] = all as [DataServer];
    disk.fill();
    await sleep(DISK_FULL_MS);
    disk.free();
    if (server.running) return done('disk full and freed: writes were refused');
    await server.start();
    return done('disk full and freed: the server had ended itself, and was started again');
  },
  rescale: async ({ job, parallelism: [low, high] }) => {
    const status = await job.status();
    const now = status?.sources === undefined ? low : status.parallelism;
    const to = now === low ? high : low;
    return command(`rescale ${now} → ${to}`, () => job.request('rescale', { parallelism: to }, COMMAND_MS));
  },
  savepoint: ({ job }) => command('savepoint', () => job.request('savepoint', {}, COMMAND_MS)),
};

const done = (what: string): Injection => ({ what, detectionMs: null });

function picked<T>(from: readonly T[], pick: number): T | null {
  return from[Math.floor(pick * from.length)] ?? null;
}

async function killAndRestart(
  { workers }: Stage,
  killed: readonly FleetWorker[],
  pick: number,
): Promise<Injection> {
  await Promise.all(killed.map((worker) => workers.kill(worker)));
  await sleep(pick * RESTART_MS_MAX);
  for (const { place } of killed) workers.start(place);
  return done(`${killed.length} workers killed (places ${killed.map(({ place }) => place).join(', ')})`);
}

async function primaryOf(servers: ChaosServers, pick: number): Promise<DataServer> {
  await servers.settled();
  return picked(await servers.primaries(), pick) as DataServer;
}

/** On its own data, at once: before anybody has taken its place, as a rule. */
async function restartServer({ servers }: Stage, pick: number, signal: 'SIGTERM' | 'SIGKILL') {
  const primary = await primaryOf(servers, pick);
  await primary.kill(signal);
  await primary.start();
  return done(`server ${primary.port} ended by ${signal} and started again`);
}

/** For good, as far as the others can tell; it comes back when its place is taken. */
async function loseServer({ servers }: Stage, pick: number, how: 'kill' | 'freeze'): Promise<Injection> {
  const primary = await primaryOf(servers, pick);
  const beganMs = performance.now();
  if (how === 'kill') await primary.kill();
  else primary.freeze();
  try {
    await servers.replaced(primary);
  } finally {
    if (how === 'freeze') primary.thaw();
  }
  const detectionMs = performance.now() - beganMs;
  await sleep(pick * 1_500);
  if (how === 'kill') await servers.rejoin(primary);
  return { what: `primary ${primary.port} lost (${how})`, detectionMs };
}

/** Kills the connections with one of the names that there are: inboxes, logs, readers … */
async function killByName(server: DataServer, pick: number): Promise<number> {
  if (!server.running) return 0;
  const clients = String(await server.ask('CLIENT', 'LIST', 'TYPE', 'normal'))
    .split('\n')
    .map((line) => ({ id: /^id=(\d+)/.exec(line)?.[1], name: / name=([^\s#]+)/.exec(line)?.[1] ?? '' }))
    .filter(({ name }) => name !== '');
  const names = [...new Set(clients.map(({ name }) => name))].toSorted((a, b) => (a < b ? -1 : 1));
  const name = picked(names, pick);
  const ids = clients.flatMap((client) =>
    client.name === name && client.id !== undefined ? [client.id] : [],
  );
  for (const id of ids) await server.ask('CLIENT', 'KILL', 'ID', id);
  return ids.length;
}

async function command(what: string, ask: () => ReturnType<JobClient['request']>): Promise<Injection> {
  const answer = await ask();
  return done(
    `${what}: ${answer.state}${answer.state === 'failed' ? ` ${JSON.stringify(answer.result)}` : ''}`,
  );
}
