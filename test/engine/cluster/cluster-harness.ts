import { randomUUID } from 'node:crypto';
import type { Test } from 'tap';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import type { ClusterContext } from '../../../engine/cluster/cluster-context.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import type { RedisLink } from '../../../engine/redis/redis-link.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from '../../support/redis-server.ts';

export const NAMESPACE = 'test';

/**
 * A real server with as many links to it as a test wants; all are closed with the test. It is a cluster of one node, which refuses
 * commands and scripts whose keys lie in different slots.
 */
export interface ClusterHarness {
  readonly server: RedisServer;
  readonly open: () => Promise<RedisLink>;
}

export async function clusterHarness(t: Test, options: RedisServerOptions = {}): Promise<ClusterHarness> {
  const server = await startRedis({ ...options, tcp: true, args: ['--cluster-enabled', 'yes'] });
  const links: RedisLink[] = [];
  t.teardown(async () => {
    for (const link of links) link.close();
    await server.stop();
  });
  const open = async () => {
    const link = await openLink(server.url);
    links.push(link);
    return link;
  };
  await joinSlots(server.url);
  return { server, open };
}

const openLink = (url: string): Promise<RedisLink> =>
  RedisConnection.open({ url, name: 'test', clock: systemClock, unavailableMs: 5_000 });

/** Gives all slots to the one node, and waits until it serves them. */
async function joinSlots(url: string): Promise<void> {
  const link = await openLink(url);
  await link.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  while (!String(await link.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    await systemClock.sleep(20);
  link.close();
}

export const contextOf = (link: RedisLink, clock: Clock = systemClock): ClusterContext => ({
  link,
  namespace: NAMESPACE,
  clock,
  uuid: randomUUID,
});

/** What a fault does with one call: it gets what sends it, as often as it likes, and gives the answer. */
export type Fault = (send: () => Promise<unknown>) => Promise<unknown>;

/** A link whose calls and scripts go through a fault. */
export function faultyLink(link: RedisLink, fault: Fault): RedisLink {
  return {
    name: link.name,
    server: link.server,
    get losses() {
      return link.losses;
    },
    call: (command, ...args) => fault(() => link.call(command, ...args)),
    callBuffer: (command, ...args) => fault(() => link.callBuffer(command, ...args)),
    callRaw: (command, ...args) =>
      fault(() => link.callRaw(command, ...args)) as ReturnType<RedisLink['callRaw']>,
    script: (script, keys, args) => fault(() => link.script(script, keys, args)),
    missing: (key, names) => link.missing(key, names),
    close: () => link.close(),
  };
}

/** The first answer is lost, so the call is made again (RC2). */
export const repeated: Fault = async (send) => {
  await send();
  return send();
};

/** Calls go through; copies of them can be carried out later, as when a lost connection still had them in its buffer. */
export function lateCopies(): { readonly fault: Fault; readonly replay: () => Promise<void> } {
  const copies: (() => Promise<unknown>)[] = [];
  return {
    fault: (send) => {
      copies.push(send);
      return send();
    },
    async replay() {
      for (const send of copies.splice(0)) await send();
    },
  };
}
