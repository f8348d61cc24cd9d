import { arg, type CommandTable, grows, indexRange, integerArg, reads, writes } from './command.ts';
import type { Bytes } from './bytes.ts';
import { integerOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import { type Answer, OK } from './redis-reply.ts';
import { RedisReplyError } from './redis-reply-error.ts';

export const LIST_COMMANDS: CommandTable = {
  LLEN: reads(2, ([key = ''], keys) => keys.read(key, 'list')?.size ?? 0),
  LRANGE: reads(4, (args, keys) => {
    const [start, stop] = [integerArg(args, 1), integerArg(args, 2)];
    const list = keys.read(arg(args, 0), 'list');
    if (list === null) return [];
    const { from, to } = indexRange(start, stop, list.size);
    return list.slice(from, to);
  }),
  LINDEX: reads(3, (args, keys) => {
    const list = keys.read(arg(args, 0), 'list');
    if (list === null) return null;
    const index = integerArg(args, 1);
    const at = index < 0 ? index + list.size : index;
    return at < 0 ? null : (list.slice(at, at + 1)[0] ?? null);
  }),
  RPUSH: grows(-3, ([key = '', ...items], keys) =>
    keys.changeOrMake(key, 'list', (list) => {
      for (const item of items) list.pushRight(item);
      return list.size;
    }),
  ),
  LPUSH: grows(-3, ([key = '', ...items], keys) =>
    keys.changeOrMake(key, 'list', (list) => {
      for (const item of items) list.pushLeft(item);
      return list.size;
    }),
  ),
  LPOP: writes(-2, (args, keys) => pop('lpop', args, keys)),
  RPOP: writes(-2, (args, keys) => pop('rpop', args, keys)),
  LTRIM: writes(4, (args, keys) => {
    const [start, stop] = [integerArg(args, 1), integerArg(args, 2)];
    keys.change(arg(args, 0), 'list', (list) => {
      const { from, to } = indexRange(start, stop, list.size);
      list.keep(from, to);
    });
    return OK;
  }),
};

function pop(name: 'lpop' | 'rpop', args: readonly Bytes[], keys: Keyspace): Answer {
  if (args.length > 2) throw new RedisReplyError(`ERR wrong number of arguments for '${name}' command`);
  const refusal = 'ERR value is out of range, must be positive';
  const count = args.length === 1 ? 1 : integerOf(args[1], refusal);
  if (count < 0) throw new RedisReplyError(refusal);
  const taken = keys.change(arg(args, 0), 'list', (list) =>
    list.pop(name === 'lpop' ? 'left' : 'right', count),
  );
  return args.length === 1 ? (taken?.[0] ?? null) : taken;
}
