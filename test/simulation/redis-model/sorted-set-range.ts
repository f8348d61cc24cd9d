import { arg, indexRange, integerArg } from './command.ts';
import { type Bytes, doubleOf } from './bytes.ts';
import { RedisModelGap, RedisReplyError, syntaxError } from './redis-reply-error.ts';
import type { ScoredMember } from './sorted-set-value.ts';

/** What a range command asks for. */
export interface SortedSetRange {
  readonly withScores: boolean;
  readonly select: (all: readonly ScoredMember[]) => readonly ScoredMember[];
}

/** ZRANGE key min max [BYSCORE] [REV] [LIMIT offset count] [WITHSCORES] */
export function sortedSetRange(args: readonly Bytes[]): SortedSetRange {
  const options = rangeOptions(args, ['BYSCORE', 'BYLEX', 'REV']);
  if (options.words.has('BYLEX')) throw new RedisModelGap('ranges by bytes (BYLEX)');
  const reverse = options.words.has('REV');
  if (options.words.has('BYSCORE')) return byScore(args, reverse, options);
  if (options.limit !== null)
    throw new RedisReplyError(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    );
  const [start, stop] = [integerArg(args, 1), integerArg(args, 2)];
  return {
    withScores: options.words.has('WITHSCORES'),
    select: (all) => {
      const { from, to } = indexRange(start, stop, all.length);
      return (reverse ? all.toReversed() : all).slice(from, to);
    },
  };
}

/** ZRANGEBYSCORE key min max …, and ZREVRANGEBYSCORE key max min … */
export function scoreRangeOf(args: readonly Bytes[], reverse: boolean): SortedSetRange {
  return byScore(args, reverse, rangeOptions(args, []));
}

export interface ScoreRange {
  readonly min: number;
  readonly max: number;
  readonly withoutMin: boolean;
  readonly withoutMax: boolean;
}

export function parseScoreRange(min: Bytes, max: Bytes): ScoreRange {
  const bound = (text: Bytes) =>
    doubleOf(text.startsWith('(') ? text.slice(1) : text, 'ERR min or max is not a float');
  return {
    min: bound(min),
    max: bound(max),
    withoutMin: min.startsWith('('),
    withoutMax: max.startsWith('('),
  };
}

export function within(range: ScoreRange, score: number): boolean {
  return (
    (range.withoutMin ? score > range.min : score >= range.min) &&
    (range.withoutMax ? score < range.max : score <= range.max)
  );
}

interface RangeOptions {
  readonly words: ReadonlySet<string>;
  readonly limit: { readonly offset: number; readonly count: number } | null;
}

function rangeOptions(args: readonly Bytes[], allowed: readonly string[]): RangeOptions {
  const words = new Set<string>();
  let limit: RangeOptions['limit'] = null;
  for (let i = 3; i < args.length; i++) {
    const word = arg(args, i).toUpperCase();
    if (word === 'LIMIT') {
      limit = { offset: integerArg(args, i + 1), count: integerArg(args, i + 2) };
      i += 2;
    } else if (word === 'WITHSCORES' || allowed.includes(word)) words.add(word);
    else throw syntaxError();
  }
  return { words, limit };
}

function byScore(args: readonly Bytes[], reverse: boolean, options: RangeOptions): SortedSetRange {
  const [first, second] = [arg(args, 1), arg(args, 2)];
  const range = reverse ? parseScoreRange(second, first) : parseScoreRange(first, second);
  const { offset, count } = options.limit ?? { offset: 0, count: -1 };
  return {
    withScores: options.words.has('WITHSCORES'),
    select: (all) => {
      if (offset < 0) return [];
      const found = all.filter(({ score }) => within(range, score));
      return (reverse ? found.reverse() : found).slice(offset, count < 0 ? undefined : offset + count);
    },
  };
}
