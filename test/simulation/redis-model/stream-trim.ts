import { arg, integerArg } from './command.ts';
import type { Bytes } from './bytes.ts';
import { RedisModelGap, RedisReplyError } from './redis-reply-error.ts';
import { parseStreamId, type StreamId } from './stream-id.ts';
import type { StreamValue } from './stream-value.ts';

export type StreamTrim =
  | { readonly kind: 'length'; readonly lengthMax: number }
  | { readonly kind: 'id'; readonly minId: StreamId };

/** MAXLEN|MINID [=] threshold at `first`, where there may be none; `next` is the argument after it. */
export function parseTrim(
  args: readonly Bytes[],
  first: number,
): { readonly trim: StreamTrim | null; readonly next: number } {
  const strategy = args[first]?.toUpperCase();
  if (strategy !== 'MAXLEN' && strategy !== 'MINID') return { trim: null, next: first };
  let at = first + 1;
  if (args[at] === '~')
    throw new RedisModelGap('approximate trimming (~), which depends on how entries are packed');
  if (args[at] === '=') at++;
  if (strategy === 'MINID')
    return { trim: { kind: 'id', minId: parseStreamId(arg(args, at)) }, next: at + 1 };
  const lengthMax = integerArg(args, at);
  if (lengthMax < 0) throw new RedisReplyError('ERR The MAXLEN argument must be >= 0.');
  return { trim: { kind: 'length', lengthMax }, next: at + 1 };
}

/** Returns how many entries went. */
export function trimStream(stream: StreamValue, trim: StreamTrim): number {
  return trim.kind === 'id' ? stream.trimBelow(trim.minId) : stream.trimTo(trim.lengthMax);
}
