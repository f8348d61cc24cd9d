import { administers, arg, type CommandTable, integerArg } from './command.ts';
import type { Bytes } from './bytes.ts';
import { compileScript, type LuaScript } from './lua-script.ts';
import { type Answer, OK } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError } from './redis-reply-error.ts';

/** Runs a script with its keys and arguments. */
export type RunScript = (script: LuaScript, keys: readonly Bytes[], args: readonly Bytes[]) => Answer;

/** @param scripts those that the server knows, by SHA-1 */
export function scriptCommands(scripts: Map<Bytes, LuaScript>, run: RunScript): CommandTable {
  const execute = (script: LuaScript, args: readonly Bytes[]) => {
    const keyCount = integerArg(args, 1);
    if (keyCount > args.length - 2)
      throw new RedisReplyError("ERR Number of keys can't be greater than number of args");
    if (keyCount < 0) throw new RedisReplyError("ERR Number of keys can't be negative");
    return run(script, args.slice(2, 2 + keyCount), args.slice(2 + keyCount));
  };
  const learn = (body: Bytes) => {
    const script = compileScript(body);
    scripts.set(script.sha, script);
    return script;
  };
  return {
    EVAL: administers(-3, (args) => execute(learn(arg(args, 0)), args)),
    EVALSHA: administers(-3, (args) => execute(known(scripts, arg(args, 0)), args)),
    SCRIPT: administers(-2, ([what = '', ...args]) => {
      switch (what.toUpperCase()) {
        case 'LOAD':
          return learn(arg(args, 0)).sha;
        case 'EXISTS':
          return args.map((sha) => Number(scripts.has(sha.toLowerCase())));
        case 'FLUSH':
          scripts.clear();
          return OK;
        default:
          throw new RedisModelGap(`SCRIPT ${what}`);
      }
    }),
  };
}

/** @throws RedisReplyError NOSCRIPT */
function known(scripts: ReadonlyMap<Bytes, LuaScript>, sha: Bytes): LuaScript {
  const script = scripts.get(sha.toLowerCase());
  if (script === undefined) throw new RedisReplyError('NOSCRIPT No matching script. Please use EVAL.');
  return script;
}
