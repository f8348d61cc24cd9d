import { join } from 'node:path';
import { freePort } from '../support/redis-server.ts';
import { type ChaosServers, USUAL } from './chaos-servers.ts';
import { DataServer, eventually } from './data-server.ts';

const MASTER = 'main';
const SENTINELS = 3;

/**
 * A primary, one replica and three sentinels that replace a primary which has not answered for half a second.
 *
 * `min-replicas-to-write` stays 0: with one replica it would refuse writes after every fail-over until the old primary is back, though
 * what is confirmed needs that replica anyway (WAIT). So an old primary takes writes until it is demoted, which makes it the harder case.
 */
export async function startSentinelServers(host: string, folder: string): Promise<ChaosServers> {
  const [first, second] = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const dir = join(folder, `redis-${name}`);
      return new DataServer({ host, port: await freePort(), dir, settings: USUAL });
    }),
  );
  const all = [first, second] as [DataServer, DataServer];
  await all[0].start();
  await all[1].start('--replicaof', host, String(all[0].port));
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, (_, i) => startSentinel(host, join(folder, `sentinel-${i}`), all[0])),
  );
  const named = () => primaryBySentinels(sentinels, all);
  const settled = async () => {
    await eventually('the replica is in step', 30_000, async () => {
      const primary = await named();
      const replica = all.find((server) => server !== primary);
      const view = await replica?.replication();
      const inStep =
        view?.get('master_link_status') === 'up' && view.get('master_port') === String(primary?.port);
      return inStep || null;
    });
    await eventually('the sentinels know the replica', 30_000, async () => {
      const views = await Promise.all(sentinels.map((one) => masterFacts(one)));
      return views.every(isReady) || null;
    });
  };
  await settled();
  return {
    name: 'sentinel',
    url: `redis+sentinel://${sentinels.map(({ port }) => `${host}:${port}`).join(',')}/${MASTER}`,
    durability: 'replicated',
    all,
    primaries: async () => [await eventually('a primary', 20_000, named)],
    settled,
    async replaced(server) {
      await eventually('Sentinel names another primary', 30_000, async () => {
        const primary = await named();
        return primary !== null && primary !== server ? true : null;
      });
    },
    async rejoin(server) {
      // As start scripts do: asks who is the primary now.
      const primary = await eventually('a primary', 20_000, named);
      await server.start(
        '--replicaof',
        ...(primary === server ? ['no', 'one'] : [host, String(primary.port)]),
      );
    },
    async failOver(server) {
      await eventually('Sentinel begins a fail-over', 20_000, () =>
        (sentinels[0] as DataServer).ask('SENTINEL', 'FAILOVER', MASTER).then(
          () => true,
          () => null, // one is under way, or the replica is not known yet
        ),
      );
      await eventually('Sentinel names another primary', 30_000, async () => {
        const primary = await named();
        return primary !== null && primary !== server ? true : null;
      });
    },
    disk: { none: 'the disk is not a small one' },
    stop: async () => {
      await Promise.all([...sentinels, ...all].map((server) => server.kill()));
    },
  };
}

async function startSentinel(host: string, dir: string, primary: DataServer): Promise<DataServer> {
  const rules = [
    `monitor ${MASTER} ${host} ${primary.port} ${(SENTINELS >> 1) + 1}`,
    `down-after-milliseconds ${MASTER} 500`,
    `failover-timeout ${MASTER} 2000`,
  ];
  const sentinel = new DataServer({
    host,
    port: await freePort(),
    dir,
    settings: { sentinel: rules.join('\n') },
    sentinel: true,
  });
  await sentinel.start();
  return sentinel;
}

/** The server that most sentinels name; null without a majority. */
async function primaryBySentinels(
  sentinels: readonly DataServer[],
  all: readonly DataServer[],
): Promise<DataServer | null> {
  const addresses = await Promise.all(
    sentinels.map((one) => one.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER).catch(() => null)),
  );
  const ports = addresses.map((address) => Number((address as readonly string[] | null)?.[1] ?? Number.NaN));
  const found = all.find(({ port }) => 2 * ports.filter((one) => one === port).length > sentinels.length);
  return found ?? null;
}

async function masterFacts(sentinel: DataServer): Promise<ReadonlyMap<string, string>> {
  const flat = (await sentinel.ask('SENTINEL', 'MASTER', MASTER)) as readonly string[];
  return new Map(
    Array.from({ length: flat.length / 2 }, (_, i) => [String(flat[2 * i]), String(flat[2 * i + 1])]),
  );
}

function isReady(facts: ReadonlyMap<string, string>): boolean {
  const others = facts.get('num-other-sentinels') === String(SENTINELS - 1);
  return others && Number(facts.get('num-slaves')) >= 1 && facts.get('flags') === 'master';
}
