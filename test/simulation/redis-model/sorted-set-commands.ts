import { arg, type CommandTable, grows, reads, writes } from './command.ts';
import { type Bytes, integerOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import { numberText } from './lua-number-text.ts';
import type { Answer } from './redis-reply.ts';
import { RedisReplyError } from './redis-reply-error.ts';
import type { ScoredMember } from './sorted-set-value.ts';
import { parseScoreRange, scoreRangeOf, sortedSetRange, within } from './sorted-set-range.ts';
import { zadd } from './zadd.ts';

export const SORTED_SET_COMMANDS: CommandTable = {
  ZCARD: reads(2, ([key = ''], keys) => keys.read(key, 'zset')?.size ?? 0),
  ZSCORE: reads(3, ([key = '', member = ''], keys) => {
    const score = keys.read(key, 'zset')?.scores.get(member);
    return score === undefined ? null : scoreText(score);
  }),
  ZRANK: reads(3, ([key = '', member = ''], keys) => {
    const rank = keys.read(key, 'zset')?.ordered.findIndex((one) => one.member === member) ?? -1;
    return rank < 0 ? null : rank;
  }),
  ZCOUNT: reads(4, (args, keys) => {
    const range = parseScoreRange(arg(args, 1), arg(args, 2));
    return keys.read(arg(args, 0), 'zset')?.ordered.filter((one) => within(range, one.score)).length ?? 0;
  }),
  ZRANGE: reads(-4, (args, keys) => listed(sortedSetRange(args), args, keys)),
  ZRANGEBYSCORE: reads(-4, (args, keys) => listed(scoreRangeOf(args, false), args, keys)),
  ZREVRANGEBYSCORE: reads(-4, (args, keys) => listed(scoreRangeOf(args, true), args, keys)),
  ZADD: grows(-4, zadd),
  ZINCRBY: grows(4, (args, keys) => zadd([arg(args, 0), 'INCR', arg(args, 1), arg(args, 2)], keys)),
  ZREM: writes(
    -3,
    ([key = '', ...members], keys) =>
      keys.change(key, 'zset', (set) => members.filter((member) => set.delete(member)).length) ?? 0,
  ),
  ZPOPMIN: writes(-2, (args, keys) => pop(args, keys, 'min')),
  ZPOPMAX: writes(-2, (args, keys) => pop(args, keys, 'max')),
  ZREMRANGEBYSCORE: writes(4, (args, keys) => {
    const range = parseScoreRange(arg(args, 1), arg(args, 2));
    return removeAll(arg(args, 0), keys, (all) => all.filter((one) => within(range, one.score))).length;
  }),
  ZREMRANGEBYRANK: writes(4, (args, keys) => {
    const { select } = sortedSetRange(args.slice(0, 3));
    return removeAll(arg(args, 0), keys, select).length;
  }),
};

/** RESP2 has a score as the text of `%.17g`. */
const scoreText = (score: number): Bytes => numberText(score, 17);

function listed(
  range: ReturnType<typeof sortedSetRange>,
  args: readonly Bytes[],
  keys: Keyspace,
): readonly Bytes[] {
  const members = range.select(keys.read(arg(args, 0), 'zset')?.ordered ?? []);
  return range.withScores ? withScores(members) : members.map(({ member }) => member);
}

function withScores(members: readonly ScoredMember[]): readonly Bytes[] {
  return members.flatMap(({ member, score }) => [member, scoreText(score)]);
}

function pop(args: readonly Bytes[], keys: Keyspace, end: 'min' | 'max'): Answer {
  if (args.length > 2) throw new RedisReplyError('ERR syntax error');
  const refusal = 'ERR value is out of range, must be positive';
  const count = args.length === 1 ? 1 : integerOf(args[1], refusal);
  if (count < 0) throw new RedisReplyError(refusal);
  const taken = removeAll(arg(args, 0), keys, (all) =>
    end === 'min' ? all.slice(0, count) : all.slice(Math.max(0, all.length - count)).reverse(),
  );
  return withScores(taken);
}

function removeAll(
  key: Bytes,
  keys: Keyspace,
  select: (all: readonly ScoredMember[]) => readonly ScoredMember[],
): readonly ScoredMember[] {
  const taken = keys.change(key, 'zset', (set) => {
    const chosen = [...select(set.ordered)];
    for (const { member } of chosen) set.delete(member);
    return chosen;
  });
  return taken ?? [];
}
