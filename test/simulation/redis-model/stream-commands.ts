import { arg, type CommandTable, grows, integerArg, reads, writes } from './command.ts';
import type { Bytes } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import type { Answer } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError, syntaxError } from './redis-reply-error.ts';
import { idText, parseRangeEnd, parseRangeStart, parseStreamId } from './stream-id.ts';
import type { StreamValueEntry } from './stream-value.ts';
import { parseTrim, trimStream } from './stream-trim.ts';
import { xadd } from './xadd.ts';
import { xread } from './xread.ts';

export const STREAM_COMMANDS: CommandTable = {
  XLEN: reads(2, ([key = ''], keys) => keys.read(key, 'stream')?.size ?? 0),
  XRANGE: reads(-4, (args, keys) => range(args, keys, false)),
  XREVRANGE: reads(-4, (args, keys) => range(args, keys, true)),
  XREAD: reads(-4, xread),
  XINFO: reads(-2, info),
  XADD: grows(-5, xadd),
  XTRIM: writes(-4, (args, keys) => {
    const { trim, next } = parseTrim(args, 1);
    if (trim === null || next !== args.length) throw syntaxError();
    return keys.change(arg(args, 0), 'stream', (stream) => trimStream(stream, trim)) ?? 0;
  }),
  XDEL: writes(-3, ([key = '', ...texts], keys) => {
    if (keys.read(key, 'stream') === null) return 0;
    const ids = texts.map((text) => parseStreamId(text));
    return keys.change(key, 'stream', (stream) => ids.filter((id) => stream.delete(id)).length);
  }),
};

const entryAnswer = ({ id, fields }: StreamValueEntry): Answer => [idText(id), fields];

function range(args: readonly Bytes[], keys: Keyspace, reverse: boolean): Answer {
  const start = parseRangeStart(arg(args, reverse ? 2 : 1));
  const end = parseRangeEnd(arg(args, reverse ? 1 : 2));
  let countMax = Number.POSITIVE_INFINITY;
  for (let i = 3; i < args.length; i += 2) {
    if (arg(args, i).toUpperCase() !== 'COUNT') throw syntaxError();
    countMax = Math.max(0, integerArg(args, i + 1));
  }
  const stream = keys.read(arg(args, 0), 'stream');
  if (stream === null) return [];
  return countMax === 0 ? null : stream.range(start, end, countMax, reverse).map(entryAnswer);
}

/** The figures of the radix tree are those of a tree of one node for each hundred entries: nothing may rest on them. */
function info(args: readonly Bytes[], keys: Keyspace): Answer {
  if (arg(args, 0).toUpperCase() !== 'STREAM' || args.length !== 2)
    throw new RedisModelGap('XINFO but XINFO STREAM <key>');
  const stream = keys.read(arg(args, 1), 'stream');
  if (stream === null) throw new RedisReplyError('ERR no such key');
  const { first, last } = stream;
  const nodes = Math.ceil(stream.size / 100);
  return [
    ['length', stream.size],
    ['radix-tree-keys', nodes],
    ['radix-tree-nodes', nodes + 1],
    ['last-generated-id', idText(stream.lastId)],
    ['max-deleted-entry-id', idText(stream.maxDeletedId)],
    ['entries-added', stream.entriesAdded],
    ['recorded-first-entry-id', idText(first?.id ?? 0n)],
    ['groups', 0],
    ['first-entry', first === null ? null : entryAnswer(first)],
    ['last-entry', last === null ? null : entryAnswer(last)],
  ].flat(1);
}
