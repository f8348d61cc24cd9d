import { administers, arg, type CommandTable, integerArg, reads, writes } from './command.ts';
import type { Bytes } from './bytes.ts';
import { globMatcher } from './glob.ts';
import type { Keyspace } from './keyspace.ts';
import { type Answer, OK } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError } from './redis-reply-error.ts';

/** What a server is told and tells about itself. */
export interface ServerSettings {
  appendonly: 'yes' | 'no';
  appendfsync: 'always' | 'everysec' | 'no';
  /** Bytes; 0 for no limit. */
  maxmemory: number;
  /** `master_replid`: 40 hexadecimal digits, others after every restart and promotion. */
  readonly historyId: Bytes;
  /** What WAIT answers. */
  readonly replicasConfirmed: () => number;
}

/** The version whose texts and rules the model follows. */
const VERSION = '7.0.15';

/** @param arityOf of any command of this server, null of an unknown one */
export function serverCommands(
  settings: ServerSettings,
  arityOf: (name: string) => number | null,
): CommandTable {
  return {
    PING: reads(-1, ([text]) => text ?? { status: 'PONG' }),
    ECHO: reads(2, ([text = '']) => text),
    TIME: reads(1, (_, keys) => [
      String(Math.floor(keys.nowMs / 1_000)),
      String((keys.nowMs % 1_000) * 1_000),
    ]),
    DBSIZE: reads(1, (_, keys) => keys.size),
    FLUSHALL: writes(-1, flush),
    FLUSHDB: writes(-1, flush),
    INFO: reads(-1, ([section = 'everything'], keys) => info(settings, keys, section.toLowerCase())),
    WAIT: administers(3, (args) => {
      if (integerArg(args, 1) < 0) throw new RedisReplyError('ERR timeout is negative');
      return integerArg(args, 0) < 0 ? 0 : settings.replicasConfirmed();
    }),
    CONFIG: administers(-2, (args) => config(settings, args)),
    COMMAND: reads(-1, (args) => {
      if (args[0]?.toUpperCase() !== 'INFO') throw new RedisModelGap('COMMAND but COMMAND INFO <name> …');
      return args.slice(1).map((name) => {
        const arity = arityOf(name);
        return arity === null ? null : [name.toLowerCase(), arity];
      });
    }),
  };
}

const flush = (_: readonly Bytes[], keys: Keyspace): Answer => {
  keys.clear();
  return OK;
};

function info(settings: ServerSettings, keys: Keyspace, section: string): Bytes {
  const sections: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
    Server: { redis_version: VERSION, redis_mode: 'standalone' },
    Memory: { used_memory: keys.usedBytes, maxmemory: settings.maxmemory, maxmemory_policy: 'noeviction' },
    Replication: { role: 'master', connected_slaves: 0, master_replid: settings.historyId },
  };
  return Object.entries(sections)
    .filter(([name]) => ['everything', 'all', 'default', name.toLowerCase()].includes(section))
    .map(([name, fields]) => {
      const lines = Object.entries(fields).map(([field, value]) => `${field}:${value}\r\n`);
      return `# ${name}\r\n${lines.join('')}`;
    })
    .join('\r\n');
}

function config(settings: ServerSettings, args: readonly Bytes[]): Answer {
  const what = arg(args, 0).toUpperCase();
  const [name, value] = [arg(args, 1).toLowerCase(), args[2]];
  if (what === 'GET') {
    const { appendonly, appendfsync, maxmemory } = settings;
    const known = { appendonly, appendfsync, maxmemory: String(maxmemory), 'maxmemory-policy': 'noeviction' };
    return Object.entries(known)
      .filter(([setting]) => globMatcher(name)(setting))
      .flat();
  }
  if (what !== 'SET' || value === undefined || args.length > 3)
    throw new RedisModelGap('CONFIG but GET of one pattern and SET of one name');
  if (name !== 'maxmemory') throw new RedisModelGap(`CONFIG SET ${name}`);
  settings.maxmemory = integerArg(args, 2);
  return OK;
}
