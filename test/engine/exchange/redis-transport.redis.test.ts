import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { RedisConnection, type RedisLink, systemClock } from '#engine';
import { ExchangeStreams } from '../../../engine/cluster/exchange-streams.ts';
import type { ExchangePart } from '../../../engine/exchange/peer-transport.ts';
import { RedisTransport } from '../../../engine/exchange/redis-transport.ts';
import { exchangeKey } from '../../../engine/redis/keys.ts';
import { until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';

const server = await startRedis();
t.teardown(() => server.stop());

const part = (channel: number, text: string): ExchangePart => ({
  channel,
  bytes: new Uint8Array(Buffer.from(text)),
});
const textOf = (one: ExchangePart) =>
  'credit' in one ? `${one.channel}+${one.credit}` : `${one.channel}:${Buffer.from(one.bytes).toString()}`;

/** Hosts 0 and 1 of generation 1, with streams each way. @param wrap the link that host 0 sends on */
async function open(test: Test, job: string, wrap: (link: RedisLink) => RedisLink = (link) => link) {
  const connect = () => RedisConnection.open({ url: server.url, name: 'exchange', clock: systemClock });
  const links = await Promise.all([connect(), connect(), connect(), connect(), connect()]);
  const [admin, a, aRead, b, bRead] = links;
  const streams = new ExchangeStreams({
    link: admin,
    namespace: 'test',
    clock: systemClock,
    uuid: () => randomUUID(),
  });
  await streams.create({ job, generation: 1, hosts: ['0', '1'] });
  const transport = (host: number, link: RedisLink, readLink: RedisLink) =>
    new RedisTransport({
      namespace: 'test',
      job,
      generation: 1,
      host,
      peers: [1 - host],
      link,
      readLink,
      clock: systemClock,
    });
  const hosts = [transport(0, wrap(a), aRead), transport(1, b, bRead)] as const;
  const got: string[][] = [[], []];
  for (const [host, one] of hosts.entries())
    one.peers.get(1 - host)?.listen((parts) => void got[host]?.push(...parts.map(textOf)));
  test.teardown(() => {
    for (const host of hosts) host.close();
    for (const link of links) link.close();
  });
  const [first, second] = hosts;
  const peers = [first.peers.get(1), second.peers.get(0)] as const;
  return { admin, streams, peers, got, key: exchangeKey('test', job, 1, '0', '1') };
}

void t.test('PT1: parts arrive in order both ways, and what was read is let go', async (test) => {
  const { admin, peers, got, key } = await open(test, 'order');
  const sent: string[] = [];
  for (let i = 0; i < 500; i++) {
    const parts = [part(i % 7, `element ${i}`), { channel: i, credit: 1 + (i % 8) }];
    sent.push(...parts.map(textOf));
    peers[0]?.send(parts);
  }
  peers[1]?.send([part(3, 'back')]);
  await until(() => got[1]?.length === sent.length && got[0]?.length === 1, 'arrived');
  test.same(got[1], sent);
  test.same(got[0], ['3:back']);
  await until(async () => (await admin.call('XLEN', key)) === 0, 'trimmed');
});

void t.test('RT1: an entry that reaches the server twice arrives once', async (test) => {
  const twice = (link: RedisLink): RedisLink => ({
    ...link,
    server: link.server,
    losses: link.losses,
    script: link.script,
    callBuffer: link.callBuffer,
    close: link.close,
    async call(command, ...args) {
      await link.call(command, ...args).catch(() => {});
      return link.call(command, ...args);
    },
  });
  const { peers, got } = await open(test, 'twice', twice);
  for (let i = 0; i < 50; i++) peers[0]?.send([part(0, `${i}`)]);
  await until(() => got[1]?.length === 50, 'arrived');
  test.same(
    got[1],
    Array.from({ length: 50 }, (_, i) => `0:${i}`),
  );
});

void t.test('RT1: a reader that misses an entry fails, and hands on nothing behind it', async (test) => {
  const { admin, peers, got, key } = await open(test, 'gap');
  peers[0]?.send([part(0, 'one')]);
  await until(() => got[1]?.length === 1, 'arrived');
  await admin.call('XADD', key, '3-0', 'd', Buffer.alloc(0));
  await test.rejects(peers[1]?.failed as Promise<never>, { code: 'MR_EXCHANGE_LOST' });
  test.same(got[1], ['0:one']);
});

void t.test('RT2: a stream that was dropped ends its writer, and does not come back', async (test) => {
  const { admin, streams, peers, key } = await open(test, 'dropped');
  await streams.drop('dropped', 1);
  peers[0]?.send([part(0, 'late')]);
  await test.rejects(peers[0]?.failed as Promise<never>, { code: 'MR_EXCHANGE_LOST' });
  test.equal(await admin.call('EXISTS', key), 0);
});

void t.test(
  'RT3: a sender whose entries a fail-over has lost fails, though nobody misses them',
  async (test) => {
    const { admin, peers, got, key } = await open(test, 'lost');
    peers[0]?.send([part(0, 'one')]);
    await until(() => got[1]?.length === 1, 'arrived');
    const before = await admin.callBuffer('DUMP', key);
    peers[0]?.send([part(0, 'two')]);
    await until(() => got[1]?.length === 2, 'arrived');
    await admin.call('RESTORE', key, 0, before as Buffer, 'REPLACE');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal');
    await test.rejects(peers[0]?.failed as Promise<never>, {
      code: 'MR_EXCHANGE_LOST',
      message: /up to 2 for host 1, and has 1-0/,
    });
  },
);
