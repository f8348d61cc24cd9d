import type { Bytes } from './bytes.ts';
import { openScriptGlobals, type ScriptGlobals, type ServerCall } from './lua-globals.ts';
import { latin1, lauxlib, lua, luaBytes, type LuaState } from './lua-runtime.ts';
import { answerAt, fieldText, pushText, textAt } from './lua-values.ts';
import type { Answer } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError } from './redis-reply-error.ts';
import { sha1 } from './sha1.ts';

/** A script that the server knows. Scripts keep nothing between runs, so each is compiled once for all models of a process. */
export interface LuaScript {
  readonly sha: Bytes;
  readonly body: Bytes;
  /** The words after `flags=`; null for a script without `#!lua`, which the server holds to other rules. */
  readonly flags: ReadonlySet<string> | null;
  /** Runs it to its end. `call` carries out what it asks of the server. @throws RedisReplyError */
  readonly run: (keys: readonly Bytes[], args: readonly Bytes[], call: ServerCall) => Answer;
}

/** @throws RedisReplyError when it does not compile */
export function compileScript(body: Bytes): LuaScript {
  const known = compiled.get(body);
  if (known !== undefined) return known;
  const header = /^#!([^\n]*)/.exec(body);
  const flags = header === null ? null : headerFlags(header[1] as string);
  const chunk = luaBytes(body.slice(header?.[0].length ?? 0));
  const lua51 = runtime();
  const { state } = lua51;
  lua.lua_settop(state, 0);
  if (lauxlib.luaL_loadbuffer(state, chunk, chunk.length, luaBytes(CHUNK)) !== lua.LUA_OK)
    throw new RedisReplyError(`ERR Error compiling script (new function): ${textAt(state, -1)}`);
  lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, lua51.environment);
  lua.lua_setupvalue(state, -2, 1);
  const main = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
  const sha = sha1(body);
  const script: LuaScript = {
    sha,
    body,
    flags,
    run: (keys, args, call) => lua51.enter(call, () => run(lua51, main, sha, keys, args)),
  };
  compiled.set(body, script);
  return script;
}

const CHUNK = '@user_script';
const compiled = new Map<Bytes, LuaScript>();

function headerFlags(header: string): ReadonlySet<string> {
  const [engine, ...options] = header.trim().split(/ +/);
  if (engine !== 'lua') throw new RedisReplyError(`ERR Unexpected engine in script shebang: ${engine}`);
  const flags = new Set<string>();
  for (const option of options) {
    if (!option.startsWith('flags=')) throw new RedisReplyError(`ERR Unknown lua shebang option: ${option}`);
    for (const flag of option.slice('flags='.length).split(',')) {
      if (!KNOWN_FLAGS.has(flag)) throw new RedisReplyError(`ERR Unexpected flag in script shebang: ${flag}`);
      flags.add(flag);
    }
  }
  return flags;
}

const KNOWN_FLAGS = new Set(['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys']);

interface LuaRuntime extends ScriptGlobals {
  readonly state: LuaState;
  readonly enter: (call: ServerCall, run: () => Answer) => Answer;
}

let shared: LuaRuntime | null = null;

function runtime(): LuaRuntime {
  shared ??= openRuntime();
  return shared;
}

function openRuntime(): LuaRuntime {
  const state = lauxlib.luaL_newstate();
  let current: ServerCall | null = null;
  let gap: unknown = null;
  const globals = openScriptGlobals(state, (words) => {
    try {
      if (current === null) throw new RedisModelGap('redis.call outside a script');
      return current(words);
    } catch (error) {
      if (!(error instanceof RedisReplyError)) gap = error;
      throw error instanceof RedisReplyError ? error : new RedisReplyError('ERR not part of the model');
    }
  });
  const enter = (call: ServerCall, run: () => Answer) => {
    current = call;
    gap = null;
    let answer: Answer;
    try {
      answer = run();
    } catch (error) {
      throw gap ?? error;
    } finally {
      current = null;
    }
    if (gap !== null) throw gap;
    return answer;
  };
  return { state, ...globals, enter };
}

function run(
  { state, globals }: LuaRuntime,
  main: number,
  sha: Bytes,
  keys: readonly Bytes[],
  args: readonly Bytes[],
): Answer {
  lua.lua_settop(state, 0);
  lua.lua_pushcfunction(state, locateError);
  lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, main);
  setList(state, globals, 'KEYS', keys);
  setList(state, globals, 'ARGV', args);
  const status = lua.lua_pcall(state, 0, 1, 1);
  try {
    if (status !== lua.LUA_OK) throw failureAt(state, sha);
    return answerAt(state, -1);
  } finally {
    lua.lua_settop(state, 0);
  }
}

function setList(state: LuaState, globals: number, name: Bytes, items: readonly Bytes[]): void {
  lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, globals);
  pushText(state, name);
  lua.lua_createtable(state, items.length, 0);
  for (const [i, item] of items.entries()) {
    pushText(state, item);
    lua.lua_rawseti(state, -2, i + 1);
  }
  lua.lua_rawset(state, -3);
  lua.lua_pop(state, 1);
}

/** Runs where an error was raised: turns it into a table with `err`, and notes the line as the server does. */
function locateError(state: LuaState): number {
  if (lua.lua_type(state, 1) !== lua.LUA_TTABLE) {
    const text = textAt(state, 1);
    lua.lua_settop(state, 0);
    lua.lua_createtable(state, 0, 2);
    pushText(state, 'err');
    pushText(state, `ERR ${text}`);
    lua.lua_rawset(state, 1);
  }
  const where = new lua.lua_Debug();
  for (let level = 1; latin1(where.source ?? new Uint8Array()) !== CHUNK; level++) {
    if (lua.lua_getstack(state, level, where) === 0) return 1;
    lua.lua_getinfo(state, luaBytes('Sl'), where);
  }
  pushText(state, 'line');
  pushText(state, String(where.currentline));
  lua.lua_rawset(state, 1);
  return 1;
}

function failureAt(state: LuaState, sha: Bytes): RedisReplyError {
  if (lua.lua_type(state, -1) !== lua.LUA_TTABLE) return new RedisReplyError(`ERR ${textAt(state, -1)}`);
  const text = fieldText(state, -1, 'err') ?? 'ERR unknown error';
  const line = fieldText(state, -1, 'line');
  return new RedisReplyError(
    line === null
      ? text.replace(/^-/, '')
      : `${text.replace(/^-/, '')} script: ${sha}, on @user_script:${line}.`,
  );
}
