import { arg, bigintArg, type CommandTable, grows, integerArg, reads, writes } from './command.ts';
import { bigintOf, type Bytes, sumOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import { type Answer, OK } from './redis-reply.ts';
import { RedisReplyError, syntaxError } from './redis-reply-error.ts';
import { StringValue } from './string-value.ts';

const get = (keys: Keyspace, key: Bytes): Bytes | null => keys.read(key, 'string')?.text ?? null;

export const STRING_COMMANDS: CommandTable = {
  GET: reads(2, ([key = ''], keys) => get(keys, key)),
  MGET: reads(-2, (args, keys) => args.map((key) => (keys.kindOf(key) === 'string' ? get(keys, key) : null))),
  STRLEN: reads(2, ([key = ''], keys) => get(keys, key)?.length ?? 0),
  SET: grows(-3, set),
  SETNX: grows(3, ([key = '', value = ''], keys) => {
    if (keys.kindOf(key) !== null) return 0;
    keys.put(key, new StringValue(value));
    return 1;
  }),
  GETDEL: writes(2, ([key = ''], keys) => {
    const value = get(keys, key);
    keys.delete(key);
    return value;
  }),
  INCR: grows(2, ([key = ''], keys) => add(keys, key, 1n)),
  DECR: grows(2, ([key = ''], keys) => add(keys, key, -1n)),
  INCRBY: grows(3, (args, keys) => add(keys, arg(args, 0), bigintArg(args, 1))),
  DECRBY: grows(3, (args, keys) => {
    const by = bigintArg(args, 1);
    if (by === -(2n ** 63n)) throw new RedisReplyError('ERR decrement would overflow');
    return add(keys, arg(args, 0), -by);
  }),
};

function add(keys: Keyspace, key: Bytes, by: bigint): Answer {
  const sum = sumOf(bigintOf(get(keys, key) ?? '0'), by);
  keys.put(key, new StringValue(String(sum)), keys.expiryOf(key));
  return sum;
}

function set(args: readonly Bytes[], keys: Keyspace): Answer {
  const key = arg(args, 0);
  const options = setOptions(args, keys.nowMs);
  const before = options.get ? get(keys, key) : null;
  const there = keys.kindOf(key) !== null;
  if (options.only === (there ? 'NX' : 'XX')) return before;
  const expireAtMs = options.keepTtl ? keys.expiryOf(key) : options.expireAtMs;
  keys.put(key, new StringValue(arg(args, 1)), expireAtMs);
  return options.get ? before : OK;
}

interface SetOptions {
  only: 'NX' | 'XX' | null;
  get: boolean;
  keepTtl: boolean;
  expireAtMs: number | null;
}

function setOptions(args: readonly Bytes[], nowMs: number): SetOptions {
  const options: SetOptions = { only: null, get: false, keepTtl: false, expireAtMs: null };
  for (let i = 2; i < args.length; i++) {
    const name = arg(args, i).toUpperCase();
    if ((name === 'NX' || name === 'XX') && (options.only ?? name) === name) options.only = name;
    else if (name === 'GET') options.get = true;
    else if (name === 'KEEPTTL' && options.expireAtMs === null) options.keepTtl = true;
    else if (name in EXPIRY_UNITS && options.expireAtMs === null && !options.keepTtl)
      options.expireAtMs = expiryOf(name as keyof typeof EXPIRY_UNITS, integerArg(args, ++i), nowMs);
    else throw syntaxError();
  }
  return options;
}

const EXPIRY_UNITS = {
  EX: { ms: 1_000, relative: true },
  PX: { ms: 1, relative: true },
  EXAT: { ms: 1_000, relative: false },
  PXAT: { ms: 1, relative: false },
} as const;

function expiryOf(name: keyof typeof EXPIRY_UNITS, value: number, nowMs: number): number {
  if (value <= 0) throw new RedisReplyError("ERR invalid expire time in 'set' command");
  const { ms, relative } = EXPIRY_UNITS[name];
  return value * ms + (relative ? nowMs : 0);
}
