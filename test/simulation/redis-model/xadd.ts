import { arg } from './command.ts';
import type { Bytes } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import type { Answer } from './redis-reply.ts';
import { RedisReplyError } from './redis-reply-error.ts';
import { idText, nextStreamId, parseWantedId } from './stream-id.ts';
import { parseTrim, trimStream } from './stream-trim.ts';

/** XADD key [NOMKSTREAM] [MAXLEN|MINID [=] threshold] *|id field value … */
export function xadd(args: readonly Bytes[], keys: Keyspace): Answer {
  const key = arg(args, 0);
  const makes = args[1]?.toUpperCase() !== 'NOMKSTREAM';
  const { trim, next } = parseTrim(args, makes ? 1 : 2);
  const wanted = parseWantedId(arg(args, next));
  const fields = args.slice(next + 1);
  if (fields.length === 0 || fields.length % 2 !== 0)
    throw new RedisReplyError("ERR wrong number of arguments for 'xadd' command");
  if (wanted.kind === 'given' && wanted.id === 0n)
    throw new RedisReplyError('ERR The ID specified in XADD must be greater than 0-0');

  const before = keys.read(key, 'stream');
  if (before === null && !makes) return null;
  const id = nextStreamId(wanted, before?.lastId ?? 0n, keys.nowMs);
  if (id === null)
    throw new RedisReplyError(
      'ERR The ID specified in XADD is equal or smaller than the target stream top item',
    );
  keys.changeOrMake(key, 'stream', (stream) => {
    stream.append(id, fields);
    if (trim !== null) trimStream(stream, trim);
  });
  return idText(id);
}
