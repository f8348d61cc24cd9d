import { arg, integerArg } from './command.ts';
import { type Bytes, integerOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import type { Answer } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError, syntaxError } from './redis-reply-error.ts';
import { idText, parseStreamId, STREAM_ID_MAX } from './stream-id.ts';

/**
 * XREAD [COUNT count] [BLOCK ms] STREAMS key … id …, answered at once: whether to wait for entries is the connection's to
 * decide. `$` is read as "nothing yet", so it cannot be asked again later and is refused together with BLOCK.
 */
export function xread(args: readonly Bytes[], keys: Keyspace): Answer {
  const { countMax, blocks, names, ids } = parse(args);
  const streams = names.map((key) => ({ key, stream: keys.read(key, 'stream') }));
  const after = ids.map((text) => {
    if (text !== '$') return parseStreamId(text);
    if (blocks) throw new RedisModelGap('XREAD with BLOCK from $');
    return STREAM_ID_MAX;
  });
  const answer: Answer[] = [];
  for (const [i, { key, stream }] of streams.entries()) {
    const id = after[i] as bigint;
    if (stream === null || stream.lastId <= id) continue;
    const entries = stream.range(id + 1n, STREAM_ID_MAX, countMax);
    if (entries.length > 0) answer.push([key, entries.map((entry) => [idText(entry.id), entry.fields])]);
  }
  return answer.length === 0 ? null : answer;
}

interface XreadArguments {
  readonly countMax: number;
  readonly blocks: boolean;
  readonly names: readonly Bytes[];
  readonly ids: readonly Bytes[];
}

function parse(args: readonly Bytes[]): XreadArguments {
  let countMax = Number.POSITIVE_INFINITY;
  let blocks = false;
  let at = 0;
  for (; arg(args, at).toUpperCase() !== 'STREAMS'; at += 2) {
    const option = arg(args, at).toUpperCase();
    if (option === 'COUNT') {
      const count = integerArg(args, at + 1);
      countMax = count <= 0 ? Number.POSITIVE_INFINITY : count;
    } else if (option === 'BLOCK') {
      const refusal = 'ERR timeout is not an integer or out of range';
      if (integerOf(arg(args, at + 1), refusal) < 0) throw new RedisReplyError('ERR timeout is negative');
      blocks = true;
    } else throw syntaxError();
  }
  const rest = args.slice(at + 1);
  if (rest.length === 0) throw syntaxError();
  if (rest.length % 2 !== 0)
    throw new RedisReplyError(
      "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
    );
  return { countMax, blocks, names: rest.slice(0, rest.length / 2), ids: rest.slice(rest.length / 2) };
}
