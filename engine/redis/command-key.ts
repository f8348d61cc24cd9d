import type { RedisArgument } from './redis-link.ts';

/** The first key that a command names, by which a cluster's node is found; null for a command that names none. */
export function commandKey(command: string, args: readonly RedisArgument[]): string | Buffer | null {
  const name = command.toUpperCase();
  if (KEYLESS.has(name)) return null;
  const key = args[KEY_AT.get(name)?.(args) ?? 0];
  return key === undefined ? null : typeof key === 'number' ? String(key) : key;
}

/** Where the first key stands when it is not the first argument. */
const KEY_AT: ReadonlyMap<string, (args: readonly RedisArgument[]) => number> = new Map([
  ['XREAD', afterStreams],
  ['XREADGROUP', afterStreams],
  ['XINFO', () => 1],
  ['XGROUP', () => 1],
  ['OBJECT', () => 1],
  ['MEMORY', () => 1],
  ['BITOP', () => 1],
  ['EVAL', () => 2],
  ['EVALSHA', () => 2],
]);

const KEYLESS: ReadonlySet<string> = new Set([
  'CLIENT',
  'CLUSTER',
  'COMMAND',
  'CONFIG',
  'DBSIZE',
  'INFO',
  'KEYS',
  'PING',
  'PUBLISH',
  'ROLE',
  'SCAN',
  'SCRIPT',
  'TIME',
  'WAIT',
  'WAITAOF',
]);

function afterStreams(args: readonly RedisArgument[]): number {
  return args.findIndex((arg) => String(arg).toUpperCase() === 'STREAMS') + 1;
}
