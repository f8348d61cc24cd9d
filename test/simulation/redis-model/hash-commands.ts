import { arg, bigintArg, type CommandTable, grows, integerArg, pairsFrom, reads, writes } from './command.ts';
import { bigintOf, type Bytes, sumOf } from './bytes.ts';
import { globMatcher } from './glob.ts';
import type { Keyspace } from './keyspace.ts';
import { type Answer, flatPairs, OK } from './redis-reply.ts';
import { RedisReplyError, syntaxError } from './redis-reply-error.ts';

export const HASH_COMMANDS: CommandTable = {
  HGET: reads(3, ([key = '', field = ''], keys) => keys.read(key, 'hash')?.get(field) ?? null),
  HMGET: reads(-3, ([key = '', ...fields], keys) => {
    const hash = keys.read(key, 'hash');
    return fields.map((field) => hash?.get(field) ?? null);
  }),
  HGETALL: reads(2, ([key = ''], keys) => flatPairs(entries(keys, key))),
  HKEYS: reads(2, ([key = ''], keys) => entries(keys, key).map(([field]) => field)),
  HVALS: reads(2, ([key = ''], keys) => entries(keys, key).map(([, value]) => value)),
  HLEN: reads(2, ([key = ''], keys) => keys.read(key, 'hash')?.size ?? 0),
  HSTRLEN: reads(3, ([key = '', field = ''], keys) => keys.read(key, 'hash')?.get(field)?.length ?? 0),
  HEXISTS: reads(3, ([key = '', field = ''], keys) => (keys.read(key, 'hash')?.has(field) ? 1 : 0)),
  HSCAN: reads(-3, scan),
  HSET: grows(-4, (args, keys) => setAll('hset', args, keys)),
  HMSET: grows(-4, (args, keys) => {
    setAll('hmset', args, keys);
    return OK;
  }),
  HSETNX: grows(4, ([key = '', field = '', value = ''], keys) => {
    if (keys.read(key, 'hash')?.has(field)) return 0;
    return keys.changeOrMake(key, 'hash', (hash) => Number(hash.set(field, value)));
  }),
  HDEL: writes(
    -3,
    ([key = '', ...fields], keys) =>
      keys.change(key, 'hash', (hash) => fields.filter((field) => hash.delete(field)).length) ?? 0,
  ),
  HINCRBY: grows(4, (args, keys) => {
    const [key, field, by] = [arg(args, 0), arg(args, 1), bigintArg(args, 2)];
    const before = keys.read(key, 'hash')?.get(field) ?? '0';
    const sum = sumOf(bigintOf(before, 'ERR hash value is not an integer'), by);
    keys.changeOrMake(key, 'hash', (hash) => hash.set(field, String(sum)));
    return sum;
  }),
};

function entries(keys: Keyspace, key: Bytes): (readonly [Bytes, Bytes])[] {
  return [...(keys.read(key, 'hash')?.entries() ?? [])];
}

function setAll(name: string, args: readonly Bytes[], keys: Keyspace): number {
  if (args.length % 2 === 0) throw new RedisReplyError(`ERR wrong number of arguments for '${name}' command`);
  const pairs = pairsFrom(args, 1);
  return keys.changeOrMake(arg(args, 0), 'hash', (hash) => {
    let added = 0;
    for (const [field, value] of pairs) added += Number(hash.set(field, value));
    return added;
  });
}

/** Everything in one answer, which is what the server does for a small hash and may do for any. */
function scan(args: readonly Bytes[], keys: Keyspace): Answer {
  if (!/^[0-9]+$/.test(arg(args, 1))) throw new RedisReplyError('ERR invalid cursor');
  let matches = (_: Bytes) => true;
  for (let i = 2; i < args.length; i += 2) {
    const option = arg(args, i).toUpperCase();
    if (option === 'MATCH') matches = globMatcher(arg(args, i + 1));
    else if (option !== 'COUNT' || integerArg(args, i + 1) < 1) throw syntaxError();
  }
  return ['0', flatPairs(entries(keys, arg(args, 0)).filter(([field]) => matches(field)))];
}
