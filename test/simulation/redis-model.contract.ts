import type { Test } from 'tap';
import { type ExpectedAnswer, type RedisCase, type RedisWord, wordsOf } from './redis-model/cases/case.ts';
import { COLLECTION_CASES } from './redis-model/cases/collection-cases.ts';
import { SCRIPT_CASES } from './redis-model/cases/script-cases.ts';
import { SERVER_CASES } from './redis-model/cases/server-cases.ts';
import { STREAM_CASES } from './redis-model/cases/stream-cases.ts';
import { STRING_CASES } from './redis-model/cases/string-cases.ts';
import type { RedisModel } from './redis-model/redis-model.ts';
import type { Reply } from './redis-model/redis-reply.ts';

/** A server of either kind, empty when it is opened. */
export interface RedisUnderTest {
  /** @throws an error whose message is the server's text */
  readonly execute: (args: readonly RedisWord[]) => Promise<Reply>;
  readonly close: () => Promise<void>;
}

/** What the model of Redis and Redis 7.0 itself both answer (RM1, RM3). */
export function redisContract(t: Test, open: () => Promise<RedisUnderTest>): void {
  for (const [family, cases] of Object.entries(FAMILIES)) {
    void t.test(family, async (t) => {
      const server = await open();
      for (const { title, steps } of cases) {
        await server.execute(['FLUSHALL']);
        const asked: unknown[] = [];
        for (const [command] of steps) {
          const words = wordsOf(command);
          asked.push([command, await answerOf(server, words)]);
        }
        t.strictSame(asked, steps, title);
      }
      await server.close();
    });
  }
}

export const modelUnderTest = (model: RedisModel): RedisUnderTest => ({
  execute: (args) => new Promise((resolve) => resolve(model.execute(args))),
  close: () => Promise.resolve(),
});

const FAMILIES: Readonly<Record<string, readonly RedisCase[]>> = {
  'strings and keys': STRING_CASES,
  'hashes, lists and sorted sets': COLLECTION_CASES,
  streams: STREAM_CASES,
  'Lua scripts': SCRIPT_CASES,
  'the server': SERVER_CASES,
};

/** A reply as a case states it. */
export async function answerOf(server: RedisUnderTest, words: readonly RedisWord[]): Promise<ExpectedAnswer> {
  try {
    return plain(await server.execute(words));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ReplyError') throw error;
    return { refused: error.message };
  }
}

function plain(reply: Reply): ExpectedAnswer {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

/** Every key with its value, by commands: the same keys give the same dump on any server. Expiry is rounded to 10 s. */
export async function dumpOf(server: RedisUnderTest): Promise<Readonly<Record<string, ExpectedAnswer>>> {
  const keys = (await answerOf(server, ['KEYS', '*'])) as readonly string[];
  const dump: Record<string, ExpectedAnswer> = {};
  for (const name of keys.toSorted()) {
    const key = Buffer.from(name, 'latin1');
    const type = (await answerOf(server, ['TYPE', key])) as keyof typeof READ_ALL;
    const value = await answerOf(server, READ_ALL[type](key));
    const leftMs = (await answerOf(server, ['PTTL', key])) as number;
    const facts = type === 'stream' ? await streamFacts(server, key) : [];
    dump[name] = [
      type,
      Math.round(leftMs / 10_000),
      type === 'hash' ? sortedPairs(value) : type === 'set' ? sorted(value) : value,
      facts,
    ];
  }
  return dump;
}

const READ_ALL = {
  string: (key: Buffer) => ['GET', key],
  hash: (key: Buffer) => ['HGETALL', key],
  list: (key: Buffer) => ['LRANGE', key, 0, -1],
  set: (key: Buffer) => ['SMEMBERS', key],
  zset: (key: Buffer) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  stream: (key: Buffer) => ['XRANGE', key, '-', '+'],
} as const;

const RADIX_FIGURES = new Set<unknown>(['radix-tree-keys', 'radix-tree-nodes']);

/** XINFO without the figures of the radix tree. */
async function streamFacts(server: RedisUnderTest, key: RedisWord): Promise<ExpectedAnswer> {
  const flat = await answerOf(server, ['XINFO', 'STREAM', key]);
  if (!Array.isArray(flat)) return flat;
  const facts = flat as readonly ExpectedAnswer[];
  return facts.filter((_, i) => !RADIX_FIGURES.has(facts[i - (i % 2)]));
}

/** A large hash is listed in an order of its own. */
function sortedPairs(flat: ExpectedAnswer): ExpectedAnswer {
  const words = flat as readonly string[];
  const pairs = words.flatMap((name, i) => (i % 2 === 0 ? [[name, words[i + 1] as string] as const] : []));
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

const sorted = (members: ExpectedAnswer): ExpectedAnswer => (members as readonly string[]).toSorted();
