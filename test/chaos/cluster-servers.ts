import { join } from 'node:path';
import { freePort } from '../support/redis-server.ts';
import { type ChaosServers, USUAL } from './chaos-servers.ts';
import { DataServer, eventually } from './data-server.ts';

const SHARDS = 3;
const SLOTS = 16_384;

/** Three primaries with a replica each. A node that does not answer for a second is replaced. */
export async function startClusterServers(host: string, folder: string): Promise<ChaosServers> {
  const buses = await Promise.all(Array.from({ length: 2 * SHARDS }, () => freePort()));
  const all = await Promise.all(buses.map((bus, i) => startNode(host, join(folder, `node-${i}`), bus)));
  await formCluster(all, buses);
  const roles = () => rolesOf(all);
  const settled = () =>
    eventually('every shard has its replica in step', 60_000, async () => {
      const views = await roles();
      const infos = await Promise.all(all.map((node) => node.ask('CLUSTER', 'INFO').catch(() => '')));
      const primaries = views.filter((view) => view?.get('role') === 'master').length;
      const inStep = views.every(
        (view) => view?.get('role') === 'master' || view?.get('master_link_status') === 'up',
      );
      const ok = infos.every((info) => String(info).includes('cluster_state:ok'));
      return (primaries === SHARDS && inStep && ok) || null;
    }).then(() => undefined);
  await settled();
  /** Shards do not change: whoever followed a server at the start takes its place, and the other way round. */
  const other = (server: DataServer) => all[(all.indexOf(server) + SHARDS) % all.length] as DataServer;
  const replaced = (server: DataServer) =>
    eventually('the replica is a primary', 30_000, async () => {
      const view = await other(server).replication();
      return view?.get('role') === 'master' || null;
    }).then(() => undefined);
  return {
    name: 'cluster',
    url: `redis+cluster://${all.map(({ port }) => `${host}:${port}`).join(',')}`,
    durability: 'replicated',
    all,
    primaries: async () => {
      const views = await roles();
      return all.filter((_, i) => views[i]?.get('role') === 'master');
    },
    settled,
    replaced,
    rejoin: (server) => server.start(), // its own nodes.conf and the others tell it
    async failOver(server) {
      await other(server).ask('CLUSTER', 'FAILOVER');
      await replaced(server);
    },
    disk: { none: 'the disk is not a small one' },
    stop: async () => {
      await Promise.all(all.map((server) => server.kill()));
    },
  };
}

async function startNode(host: string, dir: string, bus: number): Promise<DataServer> {
  const settings = {
    ...USUAL,
    'cluster-enabled': 'yes',
    'cluster-port': String(bus), // the port + 10000 otherwise, which may not exist
    'cluster-node-timeout': '1000',
    'cluster-replica-validity-factor': '0',
    'cluster-allow-replica-migration': 'no',
  };
  const node = new DataServer({ host, port: await freePort(), dir, settings });
  await node.start();
  return node;
}

async function formCluster(all: readonly DataServer[], buses: readonly number[]): Promise<void> {
  const [first] = all as [DataServer];
  for (const [i, node] of all.entries()) {
    if (i < SHARDS) {
      const at = (share: number) => Math.round((share * SLOTS) / SHARDS);
      await node.ask('CLUSTER', 'ADDSLOTSRANGE', at(i), at(i + 1) - 1);
    }
    await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    if (i > 0) await first.ask('CLUSTER', 'MEET', node.host, node.port, buses[i] as number);
  }
  for (const [i, replica] of all.slice(SHARDS).entries()) {
    const id = String(await (all[i] as DataServer).ask('CLUSTER', 'MYID'));
    await eventually('a node knows its primary', 15_000, () =>
      replica.ask('CLUSTER', 'REPLICATE', id).then(
        () => true,
        () => null,
      ),
    );
  }
}

function rolesOf(all: readonly DataServer[]) {
  return Promise.all(all.map(async (node) => (node.running ? node.replication() : null)));
}
