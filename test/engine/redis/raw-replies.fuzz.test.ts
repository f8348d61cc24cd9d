import { deepStrictEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import t from 'tap';
import { type Random, seededRandom } from '../../../engine/base/random.ts';
import { RawReplies } from '../../../engine/redis/raw-replies.ts';
import { type RespReply, RespScanner } from '../../../engine/redis/resp-scanner.ts';
import { pieces, type ReplyTree, replyTree } from '../../support/resp.ts';

/*
 * Replies of every form, cut at random places, to a client whose socket is shared by raw and ordinary calls: both must see what ioredis alone
 * sees. Then the same replies damaged: they may be refused or be other replies, but never hang the scanner or leave it beyond their end.
 * MILLRACE_FUZZ_INPUTS sets how many inputs (default 2 000), MILLRACE_FUZZ_SEED replays a run.
 */
const inputs = Number(process.env['MILLRACE_FUZZ_INPUTS'] ?? 2_000);
const seed = Number(process.env['MILLRACE_FUZZ_SEED'] ?? 20_240_229);
if (inputs > 100_000) t.setTimeout(3_600_000);

/** Answers every connection with bytes that are set before, once it has sent something. */
const dir = await mkdtemp(join(tmpdir(), 'mr-raw-'));
const path = join(dir, 'raw.sock');
let answer: readonly Buffer[] = [];
const server = createServer((socket: Socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  const write = async () => {
    for (const piece of answer) {
      socket.write(piece);
      await turn();
    }
  };
  socket.once('data', () => void write());
}).listen(path);
await once(server, 'listening');
t.teardown(async () => {
  server.close();
  await rm(dir, { recursive: true, force: true });
});

const options = {
  path,
  lazyConnect: true,
  protocol: 2,
  enableReadyCheck: false,
  disableClientInfo: true,
  retryStrategy: null,
} as const;

const LINE_END = '\r\n';
const pick = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

function bulk(random: Random, type: string): Buffer {
  const length = pick(random, [0, 1, 9, 10, 99, 100, 1_500]);
  const bytes = Buffer.alloc(length, pick(random, ['\r\n', '$1\r\n*', ':0\r', 'a', '\n\r\u{ff}']));
  return Buffer.concat([Buffer.from(`${type}${length}${LINE_END}`), bytes, Buffer.from(LINE_END)]);
}

function value(random: Random, depth: number): Buffer {
  if (depth > 0 && random() < 0.4) return list(random, depth);
  const line = pick(random, [
    '+OK',
    '+',
    ':0',
    ':-17',
    ':900719925474099',
    ',1.5',
    '$-1',
    '*-1',
    '_',
    '-E x',
  ]);
  return random() < 0.5 ? bulk(random, '$') : Buffer.from(line + LINE_END);
}

function list(random: Random, depth: number): Buffer {
  const type = pick(random, ['*', '*', '*', '~', '%']);
  const count = pick(random, [0, 1, 2, 3, 12]);
  const items = Array.from({ length: type === '%' ? 2 * count : count }, () => value(random, depth - 1));
  return Buffer.concat([Buffer.from(`${type}${count}${LINE_END}`), ...items]);
}

const push = () => Buffer.from('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n');

/** A reply of ioredis in the form of {@link replyTree}. */
function plain(reply: unknown): ReplyTree {
  if (reply === null) return null;
  if (Array.isArray(reply)) return reply.map(plain);
  if (Buffer.isBuffer(reply)) return reply;
  return Buffer.from(reply instanceof Error ? reply.message : String(reply as number));
}

function isRespReply(reply: unknown): reply is RespReply {
  return typeof reply === 'object' && reply !== null && 'values' in reply && 'bytes' in reply;
}

/** What calls get for these bytes. */
async function answersOf(
  client: Redis,
  wire: readonly Buffer[],
  raw: RawReplies | null,
  isRaw: readonly boolean[],
): Promise<unknown[]> {
  answer = wire;
  client.on('error', () => undefined);
  await client.connect();
  const calls = isRaw.map((wanted) =>
    raw !== null && wanted ? raw.call('XREAD', ['a']) : client.callBuffer('GET', 'a'),
  );
  const settled = await Promise.allSettled(calls);
  client.disconnect();
  return settled.map((one, i) => {
    if (one.status === 'rejected') return `refused: ${(one.reason as Error).message}`;
    const { value: reply } = one;
    if (!isRespReply(reply)) return plain(reply);
    deepStrictEqual(isRaw[i], true, 'RR1: no other call gets a raw reply');
    return replyTree(reply);
  });
}

void t.test('RR1: raw and ordinary calls of one client see what ioredis alone sees', async (test) => {
  const random = seededRandom(seed);
  for (let n = 0; n < inputs / 20; n++) {
    const replies = Array.from({ length: 1 + Math.floor(random() * 6) }, () => value(random, 4));
    const isRaw = replies.map(() => random() < 0.6);
    const wire = Buffer.concat(replies.flatMap((reply) => (random() < 0.2 ? [push(), reply] : [reply])));
    const alone = await answersOf(new Redis(options), [wire], null, isRaw);
    const client = new Redis(options);
    const cut = pieces(wire, random);
    const shared = await answersOf(client, cut, new RawReplies(client), isRaw);
    deepStrictEqual(shared, alone, `input ${n} of seed ${seed}: ${JSON.stringify(String(wire))}`);
  }
  test.pass(`${Math.ceil(inputs / 20)} connections`);
});

void t.test('RS1: the same values wherever the bytes are cut; damaged bytes end', async (test) => {
  const random = seededRandom(seed + 1);
  let refused = 0;
  for (let n = 0; n < inputs; n++) {
    const reply = list(random, 4);
    const behind = value(random, 1);
    const bytes = Buffer.concat([reply, behind]);
    const scanner = new RespScanner();
    const scan = (parts: readonly Buffer[]): Int32Array | null => {
      scanner.start(true);
      let seen = 0;
      for (const part of parts) {
        const end = scanner.scan(part, 0);
        if (end >= 0) {
          deepStrictEqual(seen + end, reply.length, `input ${n} of seed ${seed}`);
          return scanner.values();
        }
        seen += part.length;
      }
      return null;
    };
    deepStrictEqual(scan(pieces(bytes, random)), scan([bytes]), `input ${n} of seed ${seed}`);
    const damaged = Buffer.from(bytes);
    for (let k = 0; k < 1 + random() * 3; k++)
      damaged[Math.floor(random() * damaged.length)] = pick(random, [0, 10, 13, 36, 42, 45, 49, 57, 255]);
    try {
      scanner.start(true);
      const end = scanner.scan(damaged, 0);
      deepStrictEqual(end >= -1 && end <= damaged.length, true);
      deepStrictEqual(scanner.values().length <= 2 * damaged.length, true, 'RS1');
    } catch (error) {
      if (!(error as Error).message.startsWith('Redis sent ')) throw error;
      refused++;
    }
    if (n % 1_000 === 0) await turn();
  }
  test.ok(refused > inputs / 100, `${refused} of ${inputs} damaged replies refused`);
});
