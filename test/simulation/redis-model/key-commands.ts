import { arg, type Command, type CommandTable, integerArg, reads, writes } from './command.ts';
import type { Bytes } from './bytes.ts';
import { globMatcher } from './glob.ts';
import type { Keyspace } from './keyspace.ts';
import { RedisReplyError } from './redis-reply-error.ts';

const deleteAll = writes(-2, (args, keys) => args.filter((key) => keys.delete(key)).length);

export const KEY_COMMANDS: CommandTable = {
  DEL: deleteAll,
  UNLINK: deleteAll,
  EXISTS: reads(-2, (args, keys) => args.filter((key) => keys.kindOf(key) !== null).length),
  TYPE: reads(2, ([key = ''], keys) => ({ status: keys.kindOf(key) ?? 'none' })),
  KEYS: reads(2, ([pattern = ''], keys) => [...keys.names()].filter(globMatcher(pattern))),
  EXPIRE: expiring('expire', (value, nowMs) => nowMs + value * 1_000),
  PEXPIRE: expiring('pexpire', (value, nowMs) => nowMs + value),
  EXPIREAT: expiring('expireat', (value) => value * 1_000),
  PEXPIREAT: expiring('pexpireat', (value) => value),
  PERSIST: writes(2, ([key = ''], keys) => {
    if (keys.expiryOf(key) === null) return 0;
    keys.expire(key, null);
    return 1;
  }),
  PTTL: reads(2, ([key = ''], keys) => leftMs(keys, key)),
  TTL: reads(2, ([key = ''], keys) => {
    const ms = leftMs(keys, key);
    return ms < 0 ? ms : Math.floor((ms + 500) / 1_000);
  }),
  PEXPIRETIME: reads(2, ([key = ''], keys) => keys.expiryOf(key) ?? (keys.kindOf(key) === null ? -2 : -1)),
};

/** -2 without the key, -1 without expiry. */
function leftMs(keys: Keyspace, key: Bytes): number {
  const atMs = keys.expiryOf(key);
  if (atMs === null) return keys.kindOf(key) === null ? -2 : -1;
  return Math.max(0, atMs - keys.nowMs);
}

function expiring(name: string, atMsOf: (value: number, nowMs: number) => number): Command {
  return writes(-3, (args, keys) => {
    const [key, only] = [arg(args, 0), conditionOf(args)];
    const atMs = atMsOf(integerArg(args, 1), keys.nowMs);
    if (Math.abs(atMs) > EXPIRY_MS_MAX)
      throw new RedisReplyError(`ERR invalid expire time in '${name}' command`);
    if (keys.kindOf(key) === null || !only(keys.expiryOf(key), atMs)) return 0;
    keys.expire(key, atMs);
    return 1;
  });
}

const EXPIRY_MS_MAX = 2 ** 63;

/** NX, XX, GT and LT; a key without expiry counts as one that lives for ever. */
function conditionOf(args: readonly Bytes[]): (beforeMs: number | null, atMs: number) => boolean {
  const words = new Set(args.slice(2).map((word) => word.toUpperCase()));
  for (const word of words)
    if (!['NX', 'XX', 'GT', 'LT'].includes(word)) throw new RedisReplyError(`ERR Unsupported option ${word}`);
  if (words.has('NX') && words.size > 1)
    throw new RedisReplyError('ERR NX and XX, GT or LT options at the same time are not compatible');
  if (words.has('GT') && words.has('LT'))
    throw new RedisReplyError('ERR GT and LT options at the same time are not compatible');
  return (beforeMs, atMs) =>
    !(
      (words.has('NX') && beforeMs !== null) ||
      (words.has('XX') && beforeMs === null) ||
      (words.has('GT') && atMs <= (beforeMs ?? Number.POSITIVE_INFINITY)) ||
      (words.has('LT') && atMs >= (beforeMs ?? Number.POSITIVE_INFINITY))
    );
}
