import { arg } from './command.ts';
import { type Bytes, doubleOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import { numberText } from './lua-number-text.ts';
import type { Answer } from './redis-reply.ts';
import { RedisReplyError, syntaxError } from './redis-reply-error.ts';
import type { ScoredMember } from './sorted-set-value.ts';

/** ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member … */
export function zadd(args: readonly Bytes[], keys: Keyspace): Answer {
  const { words, first } = leadingWords(args);
  if ((args.length - first) % 2 !== 0 || args.length === first) throw syntaxError();
  assertCompatible(words);
  const increments = words.has('INCR');
  if (increments && args.length - first > 2)
    throw new RedisReplyError('ERR INCR option supports a single increment-element pair');
  const wanted: ScoredMember[] = [];
  for (let i = first; i < args.length; i += 2)
    wanted.push({ score: doubleOf(args[i]), member: arg(args, i + 1) });
  const key = arg(args, 0);
  if (keys.read(key, 'zset') === null && words.has('XX')) return increments ? null : 0;

  return keys.changeOrMake(key, 'zset', (set) => {
    let [added, updated] = [0, 0];
    let last: number | null = null;
    for (const { score, member } of wanted) {
      const before = set.scores.get(member);
      const after = increments ? (before ?? 0) + score : score;
      if (Number.isNaN(after)) throw new RedisReplyError('ERR resulting score is not a number (NaN)');
      if (!allows(words, before, after)) continue;
      if (before === undefined) added++;
      else if (before !== after) updated++;
      if (before !== after) set.set(member, after);
      last = after;
    }
    if (increments) return last === null ? null : numberText(last, 17);
    return words.has('CH') ? added + updated : added;
  });
}

function leadingWords(args: readonly Bytes[]): {
  readonly words: ReadonlySet<string>;
  readonly first: number;
} {
  const words = new Set<string>();
  let first = 1;
  for (; first < args.length; first++) {
    const word = arg(args, first).toUpperCase();
    if (!['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'].includes(word)) break;
    words.add(word);
  }
  return { words, first };
}

function assertCompatible(words: ReadonlySet<string>): void {
  if (words.has('NX') && words.has('XX'))
    throw new RedisReplyError('ERR XX and NX options at the same time are not compatible');
  if ([words.has('NX'), words.has('GT'), words.has('LT')].filter(Boolean).length > 1)
    throw new RedisReplyError('ERR GT, LT, and/or NX options at the same time are not compatible');
}

function allows(words: ReadonlySet<string>, before: number | undefined, after: number): boolean {
  if (before === undefined) return !words.has('XX');
  if (words.has('NX')) return false;
  return !(words.has('GT') && after <= before) && !(words.has('LT') && after >= before);
}
