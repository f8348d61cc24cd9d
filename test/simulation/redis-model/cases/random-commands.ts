import * as fc from 'fast-check';
import type { RedisWord } from './case.ts';

const key = fc.constantFrom('a', 'b', 'c');
const name = fc.constantFrom('f', 'g', 'h', '', '\0');
const value = fc.oneof(
  fc.constantFrom('', 'x', '7', '-3', '007', '1.5', '9223372036854775807'),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
);
const integer = fc.constantFrom('0', '1', '2', '-1', '-2', '5', 'x', '9223372036854775807');
const score = fc.constantFrom('0', '1', '2.5', '-1', 'inf', '-inf', '1e3', 'nan');
const bound = fc.constantFrom('-inf', '+inf', '0', '1', '(1', '2.5', '(x');
const id = fc.constantFrom('0-1', '1-1', '1-2', '1-*', '2', '3-0', '5-5', '0-0', '7-x');
const rangeId = fc.constantFrom('-', '+', '1', '(1-1', '2-0', '(3', '0', 'x');
const word = (...words: string[]) => fc.constantFrom(...words);
const maybe = (...words: string[]) => fc.subarray(words, { maxLength: Math.min(2, words.length) });

type Part = fc.Arbitrary<RedisWord | readonly RedisWord[]>;
/** A command of the parts in turn; a part that is a list is spliced in. */
const command = (verb: string, ...parts: readonly Part[]) =>
  fc.tuple(...parts).map((drawn): readonly RedisWord[] => [verb, ...drawn.flat()]);
const some = (...parts: readonly fc.Arbitrary<RedisWord>[]) =>
  fc.array(fc.tuple(...parts), { minLength: 1, maxLength: 3 }).map((tuples) => tuples.flat());
const count = fc.oneof(
  fc.constant([]),
  integer.map((n) => ['COUNT', n]),
);
const limit = fc.oneof(
  fc.constant([]),
  fc.tuple(integer, integer).map(([offset, n]) => ['LIMIT', offset, n]),
);

const plain = fc.oneof(
  command('SET', key, value, maybe('NX', 'XX', 'GET', 'KEEPTTL')),
  command('INCRBY', key, integer),
  command('GET', key),
  command('DEL', some(key)),
  command('EXISTS', some(key)),
  command('TYPE', key),
  command('EXPIRE', key, word('100000', '-1', 'x'), maybe('NX', 'XX', 'GT', 'LT')),
  command('PERSIST', key),
  command('HSET', key, some(name, value)),
  command('HSETNX', key, name, value),
  command('HDEL', key, some(name)),
  command('HINCRBY', key, name, integer),
  command('HMGET', key, some(name)),
  command('HGETALL', key),
  command('RPUSH', key, some(value)),
  command('LPUSH', key, some(value)),
  command('LPOP', key, fc.oneof(fc.constant([]), integer)),
  command('RPOP', key, fc.oneof(fc.constant([]), integer)),
  command('LRANGE', key, integer, integer),
  command('LTRIM', key, integer, integer),
  command('SADD', key, some(name)),
  command('SREM', key, some(name)),
  command('SCARD', key),
  command('ZADD', key, maybe('NX', 'XX', 'GT', 'LT', 'CH', 'INCR'), some(score, name)),
  command('ZREM', key, some(name)),
  command('ZPOPMIN', key, fc.oneof(fc.constant([]), integer)),
  command('ZRANGE', key, integer, integer, maybe('REV', 'WITHSCORES')),
  command('ZRANGE', key, bound, bound, fc.constant('BYSCORE'), maybe('REV', 'WITHSCORES'), limit),
  command('ZREVRANGEBYSCORE', key, bound, bound, limit),
  command('ZREMRANGEBYSCORE', key, bound, bound),
  command('ZREMRANGEBYRANK', key, integer, integer),
  command('XADD', key, maybe('NOMKSTREAM'), id, some(name, value)),
  command('XADD', key, fc.constant(['MAXLEN', '=', '2']), id, some(name, value)),
  command('XTRIM', key, word('MAXLEN', 'MINID'), integer),
  command('XDEL', key, some(id)),
  command('XLEN', key),
  command('XRANGE', key, rangeId, rangeId, count),
  command('XREVRANGE', key, rangeId, rangeId, count),
  command('XREAD', count, fc.constant('STREAMS'), key, id),
);

const body = fc.constantFrom(
  'return redis.call(unpack(ARGV))',
  'return redis.pcall(unpack(ARGV))',
  `local reply = redis.pcall(unpack(ARGV))
   if type(reply) == 'table' and reply.err then return {'refused', reply.err} end
   return {type(reply), reply}`,
  "redis.call(unpack(ARGV)) redis.call('HSET', KEYS[1], 'f', 'g') return redis.call('HGETALL', KEYS[1])",
);

/** Commands on three keys, right and wrong ones, as they are and through scripts; none depends on the time. */
export const randomCommands: fc.Arbitrary<readonly (readonly RedisWord[])[]> = fc.array(
  fc.oneof(
    { arbitrary: plain, weight: 4 },
    {
      arbitrary: fc
        .tuple(body, key, plain)
        .map(([script, name, words]): readonly RedisWord[] => ['EVAL', script, 1, name, ...words]),
      weight: 1,
    },
  ),
  { minLength: 1, maxLength: 60 },
);
