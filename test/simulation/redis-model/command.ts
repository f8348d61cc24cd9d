import { bigintOf, type Bytes, integerOf } from './bytes.ts';
import type { Keyspace } from './keyspace.ts';
import type { Answer } from './redis-reply.ts';
import { syntaxError } from './redis-reply-error.ts';

/** One command of the server. */
export interface Command {
  /** Words with the name, negative for "at least", as the server counts them. */
  readonly arity: number;
  /** Changes keys. */
  readonly writes: boolean;
  /** Changes keys, and is refused over maxmemory. */
  readonly grows: boolean;
  /** Not for scripts. */
  readonly isForAdmins: boolean;
  /** @param args what follows the name @throws RedisReplyError */
  readonly run: (args: readonly Bytes[], keys: Keyspace) => Answer;
}

export type CommandTable = Readonly<Record<string, Command>>;

type MakeCommand = (arity: number, run: Command['run']) => Command;
const PLAIN = { writes: false, grows: false, isForAdmins: false };
export const reads: MakeCommand = (arity, run) => ({ arity, ...PLAIN, run });
export const writes: MakeCommand = (arity, run) => ({ arity, ...PLAIN, writes: true, run });
export const grows: MakeCommand = (arity, run) => ({ arity, ...PLAIN, writes: true, grows: true, run });
export const administers: MakeCommand = (arity, run) => ({ arity, ...PLAIN, isForAdmins: true, run });

/** The arguments of one command, whose number is checked before it runs, or that reads them as options until they end. */
export function arg(args: readonly Bytes[], index: number): Bytes {
  const value = args[index];
  if (value === undefined) throw syntaxError();
  return value;
}

export const integerArg = (args: readonly Bytes[], index: number): number => integerOf(arg(args, index));
export const bigintArg = (args: readonly Bytes[], index: number): bigint => bigintOf(arg(args, index));

/** Names and values in turn. */
export function pairsFrom(args: readonly Bytes[], first: number): (readonly [Bytes, Bytes])[] {
  const pairs: (readonly [Bytes, Bytes])[] = [];
  for (let i = first; i + 1 < args.length; i += 2) pairs.push([args[i] as Bytes, args[i + 1] as Bytes]);
  return pairs;
}

/** First and past-the-last index for two that may count from the end. */
export function indexRange(
  start: number,
  stop: number,
  size: number,
): { readonly from: number; readonly to: number } {
  const from = Math.max(0, start < 0 ? start + size : start);
  const to = Math.min(size, (stop < 0 ? stop + size : stop) + 1);
  return { from, to: Math.max(from, to) };
}
