import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { seededRandom } from '../../../engine/base/random.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { RawReplies } from '../../../engine/redis/raw-replies.ts';
import { redisFailure } from '../../../engine/redis/redis-error.ts';
import { choppySocket } from '../../support/choppy-socket.ts';
import { startRedis } from '../../support/redis-server.ts';
import { replyTree } from '../../support/resp.ts';

const dir = await mkdtemp(join(tmpdir(), 'mr-raw-'));
const server = await startRedis();
const random = seededRandom(7);
const choppy = await choppySocket(dir, server.url, random);
const link = await RedisConnection.open({ url: choppy.path, name: 'test', clock: systemClock });
t.teardown(async () => {
  link.close();
  choppy.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const ENTRIES = 500;
for (let n = 1; n <= ENTRIES; n++) {
  const value = Buffer.alloc(Math.floor(random() ** 4 * 3_000), `\r\n$${n}`);
  await link.call('XADD', 's', `${n}-0`, 'v', value, 'n', n);
}
const read = (count: number, from: string) => ['XREAD', 'COUNT', count, 'STREAMS', 's', from] as const;

await t.test('RR1 raw and ordinary calls at once, in pieces, each get their own answer', async (t) => {
  const expected = await link.callBuffer(...read(ENTRIES, '0-0'));
  const calls = Array.from({ length: 30 }, async (_, i) => {
    if (i % 3 === 0) t.equal(await link.call('ECHO', i), String(i));
    else if (i % 7 === 0) t.equal(await link.callRaw(...read(1, `${ENTRIES}-0`)), null, 'nothing there');
    else if (i % 5 === 0) {
      const error: unknown = await link.callRaw(...read(1, 'no id')).catch((cause: unknown) => cause);
      t.equal(redisFailure(error), 'refused');
    } else {
      const reply = await link.callRaw(...read(ENTRIES, '0-0'));
      t.strictSame(reply === null ? null : replyTree(reply), expected);
    }
  });
  await Promise.all(calls);
});

await t.test('RC2 a connection that is lost within a reply: it is asked for again, whole', async (t) => {
  const expected = await link.callBuffer(...read(ENTRIES, '0-0'));
  for (const bytes of [1, 4, 17, 1_000, 40_000]) {
    const lossesBefore = link.losses;
    choppy.loseAfter(bytes);
    const [reply, echo] = await Promise.all([
      link.callRaw(...read(ENTRIES, '0-0')),
      link.call('ECHO', bytes),
    ]);
    t.strictSame(reply === null ? null : replyTree(reply), expected);
    t.equal(echo, String(bytes));
    t.ok(link.losses > lossesBefore, `lost after ${bytes} bytes`);
  }
});

await t.test('RR2 a reply beyond the limit ends the connection, and the caller hears why', async (t) => {
  const client = new Redis({ path: server.url, protocol: 2, lazyConnect: true, retryStrategy: null });
  const raw = new RawReplies(client, 10_000);
  const said: string[] = [];
  client.on('error', (error: Error) => said.push(error.message));
  await client.connect();
  t.not(await raw.call('XREAD', ['COUNT', 5, 'STREAMS', 's', '0-0']), null);
  await t.rejects(raw.call('XREAD', ['COUNT', ENTRIES, 'STREAMS', 's', '0-0']));
  t.same(said, ['Redis sent a reply of more than 10000 bytes.']);
});
